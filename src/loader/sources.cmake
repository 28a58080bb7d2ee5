list(APPEND sources loader/attributes.c loader/bodies.c loader/file.c loader/graphs.c loader/loader.c loader/message.c loader/node_bodies.c loader/nodes.c loader/scan.c
    loader/tensors.c loader/types.c loader/values.c)
