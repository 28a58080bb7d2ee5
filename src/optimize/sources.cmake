list(APPEND sources
    optimize/fold.c
    optimize/fuse_batch_norm.c
    optimize/fuse_epilogues.c
    optimize/join_activations.c
    optimize/join_layer_norms.c
    optimize/join_shuffles.c
    optimize/nest_concats.c
    optimize/optimize.c
    optimize/parts.c
    optimize/push_transposes.c
    optimize/remove_dead.c
    optimize/remove_identities.c
    optimize/rewrite.c
)
