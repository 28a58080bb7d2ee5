list(APPEND sources graph/attrs.c graph/bodies.c graph/evaluate.c graph/graph.c graph/infer.c graph/partition.c graph/post_op.c graph/run_value.c graph/symbols.c graph/value_type.c)
