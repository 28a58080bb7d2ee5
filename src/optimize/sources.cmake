list(APPEND sources
    optimize/bodies.c
    optimize/fold.c
    optimize/fuse_batch_norm.c
    optimize/fuse_epilogues.c
    optimize/fuse_activations.c
    optimize/fuse_layer_norms.c
    optimize/fuse_shuffles.c
    optimize/fuse_concats.c
    optimize/known_dims.c
    optimize/optimize.c
    optimize/parts.c
    optimize/push_transposes.c
    optimize/remove_dead.c
    optimize/remove_identities.c
    optimize/rewrite.c
)
