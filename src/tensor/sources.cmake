list(APPEND sources tensor/half.c tensor/layout.c tensor/narrow.c tensor/tensor.c)
