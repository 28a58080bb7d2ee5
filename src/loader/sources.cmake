list(APPEND sources loader/attributes.c loader/bodies.c loader/file.c loader/loader.c loader/nodes.c loader/scan.c
    loader/tensors.c)
