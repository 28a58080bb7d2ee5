list(APPEND sources tensor/half.c tensor/layout.c tensor/tensor.c)
