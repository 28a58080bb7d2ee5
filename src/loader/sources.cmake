list(APPEND sources loader/attributes.c loader/bodies.c loader/expansion.c loader/file.c loader/foreign.c loader/foreign_attention.c loader/foreign_fused.c loader/foreign_others.c loader/foreign_quantized.c loader/graphs.c loader/loader.c loader/message.c loader/node_bodies.c loader/nodes.c loader/scan.c
    loader/survey.c loader/tensors.c loader/types.c loader/values.c)
