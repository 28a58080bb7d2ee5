list(APPEND sources graph/attrs.c graph/evaluate.c graph/graph.c graph/infer.c graph/symbols.c)
