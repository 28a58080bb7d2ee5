#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py [BUILD [WORD...]]: plants mistakes in src/ops/cuda, one at a time, and asks whether the tests notice.

Each mistake has a level of the tests that must fail for it; "build" is the compiler.  The sources are put back; the
last line says how many were caught, and so does the exit status.  WORD: only mistakes with one of these in their
description.  Takes some minutes where BUILD has -DSTRIDER_CUDA_ARCHITECTURES=75, and prints a table for docs/cuda.md."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPS = "src/ops/cuda/"
TARGETS = ["strider", "strider_cuda", "virtual_cudart", "virtual_cudnn", "virtual_cublasLt", "checked_cudart", "cuda_test",
           "plans_test", "binary_test", "conv_test", "pool_test", "product_test", "reference_test", "softmax_test",
           "team_test", "heads_test", "layers_test", "cuda_session_test"]
PLANS, PROGRAM, MODELS, CHECKED = "cuda_plans", "cuda_test", "cuda_models", "cuda_{}_test_checked"
HEADS, LAYERS = "cuda_heads_test", "cuda_layers_test"
CASES, SESSION, PADDED, PRODUCTS = "cuda_reference_test", "cuda_session_test", "cuda_conv_test_padded", "cuda_product_test"

# What it is, file, text, what the text is replaced by, the test that must fail.
MUTANTS = [
    ("cuDNN: pads of the wrong side", "dnn.c", "CUDNN_TYPE_INT64, spatial, conv->pad_end", "CUDNN_TYPE_INT64, spatial, conv->pad_begin", PLANS),
    ("cuDNN: no dilations", "dnn.c", "    set(builder, made, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, spatial, conv->dilations);\n", "", PLANS),
    ("cuDNN: an attribute of the wrong type", "dnn.c", "CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64", "CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_FLOAT", PLANS),
    ("cuDNN: the bias along the width", "dnn.c", "{1, conv->y[1], 1, 1, 1}", "{1, 1, 1, conv->y[1], 1}", PLANS),
    ("cuDNN: images and weights of one number", "dnn.c", "UID_X = 1, UID_W,", "UID_X = 1, UID_W = 1,", PROGRAM),
    ("cuDNN: a transposed convolution forward", "dnn.c", "conv->transposed ? backward(", "0 ? backward(", PLANS),
    ("cuDNN: an alignment that is no power of two", "dnn.c", "const int64_t alignment = TENSOR_ALIGNMENT;", "const int64_t alignment = 3;", PLANS),
    ("cuDNN: strides of other dimensions", "dnn.c", "        stride *= dims[i];", "        stride *= dims[0];", PLANS),
    ("cuDNN: descriptors that are leaked", "dnn.c", "    while (plan->n_kept)\n", "    while (plan->n_kept > 1)\n", MODELS),
    ("cuDNN: residual and bias of one number", "dnn.c", "UID_RESIDUAL, UID_BIAS, UID_Y", "UID_RESIDUAL, UID_BIAS = UID_RESIDUAL, UID_Y", PROGRAM),
    ("cuDNN: the residual after the bias", "dnn.c", "{conv->has_residual, conv->has_bias, conv->has_relu};\n        if (!has[i])", "{conv->has_bias, conv->has_residual, conv->has_relu};\n        if (!has[i])", PLANS),
    ("cuDNN: ReLU is Tanh", "dnn.c", "CUDNN_POINTWISE_RELU_FWD", "CUDNN_POINTWISE_TANH_FWD", PROGRAM),
    ("cuDNN: TF32 where it was not asked for", "dnn.c", "if (!target->allow_tf32)", "if (0)", PROGRAM),
    ("cuDNN: no workspace", "conv_plan.c", "bytes_of(1, plan->dnn.workspace_bytes))", "bytes_of(1, 0))", MODELS),
    ("a residual that is forgotten", "conv.c", "conv->finishes_residual ? residual : NULL", "NULL", "cuda_selftest_unfused"),
    ("a bias that is subtracted", "kernels/finish.cu", "value += args.bias_scale", "value -= args.bias_scale", "cuda_selftest"),
    ("a mean that is a sum", "reduce.c", "pool_planes(query, R_MEAN", "pool_planes(query, R_SUM", "cuda_selftest"),
    ("matrices of a product exchanged", "product.c", "b + at->b, product->left,\n                       a + at->a,", "a + at->a, product->left,\n                       b + at->b,", "cuda_selftest"),
    ("engines whose bits vary", "dnn.c", "if (!target->allow_nondeterministic)", "if (0)", "cuda_selftest"),
    ("memory that runs out is a failed device", "device.c", "STRIDER_OUT_OF_MEMORY, \"device", "STRIDER_DEVICE_FAILED, \"device", "cuda_selftest"),
    ("memory that is not freed", "device.c", "cudaFree(memory);", "(void)memory;", MODELS),
    ("a stream that is not waited for", "stream.c", "cudaStreamSynchronize(cuda->stream)", "cudaSuccess", MODELS),
    ("a launch into another stream", "launch.c", "list, 0, device->stream);", "list, 0, NULL);", PROGRAM),
    ("too many threads in a block", "cuda.h", ".threads = TEAM_THREADS", ".threads = 16 * TEAM_THREADS", "cuda_softmax_test"),
    ("a part that is not copied where it must be", "launch.c", "(const char *)data->in[0] != ", "(const char *)data->in[0] == ", "cuda_reference_test"),
    ("an error that is not looked at", "launch.c", 'return error ? cuda_fail(device, error, "launch", err) : STRIDER_OK;', "(void)error;\n    return STRIDER_OK;", PROGRAM),
    ("the last block is missing", "cuda.h", "(count + LONE_THREADS - 1) / LONE_THREADS", "(count + LONE_THREADS - 1) / LONE_THREADS - (count > LONE_THREADS)", "cuda_reference_test"),
    ("a barrier is missing", "kernels/device_code.h", "    parts[me] = value;\n    __syncthreads();\n", "    parts[me] = value;\n", "cuda_reference_test"),
    ("a barrier between two uses is missing", "kernels/device_code.h", "    __syncthreads(); /* the parts of the call before have been read */\n", "", "cuda_reference_test"),
    ("only some threads meet at a barrier", "kernels/softmax.cu", "    max = parts[0];\n    __syncthreads();", "    max = parts[0];\n    if (me < args.count)\n        __syncthreads();", "cuda_softmax_test"),
    ("no end of the elements", "kernels/binary.cu", "    if (i >= args.count)\n        return;\n", "", CHECKED.format("binary")),
    ("one element after the input", "kernels/move.cu", "args.data.in[0][in]", "args.data.in[0][in + 1] * 0 + args.data.in[0][in]", CHECKED.format("reference")),
    ("an index of shared memory beyond its end", "kernels/softmax.cu", "parts[me + half] > parts[me])", "parts[me + half + TEAM_THREADS / 2] > parts[me])", CHECKED.format("softmax")),
    ("weights beyond the end of the kernel", "kernels/conv.cu", "end[d] = window_end_tap(begin[d], axis.in, axis.kernel, axis.dilation);", "end[d] = axis.kernel + 1;", "cuda_conv_test_direct_checked"),
    ("a table's -1 taken as an index", "kernels/resize.cu", "if (z.indices[first_z] < 0 || y.indices[first_y] < 0 || x.indices[first_x] < 0)", "if (0)", CHECKED.format("team")),
    ("a shift beyond an integer's bits", "kernels/move.cu", "    int rest = i, in", "    int rest = i + (i << 28 & 0), in", CHECKED.format("reference")),
    ("a product of integers that overflows", "kernels/move.cu", "        in += at * args.in_strides[d];", "        in += at * args.in_strides[d] * (args.count | 1 << 30) / (args.count | 1 << 30);", CHECKED.format("reference")),
    ("a list of its own, indexed by a variable", "kernels/finish.cu", "    float value = args.data.in[0][i];", "    float list[16];\n    for (int k = 0; k < 16; k++)\n        list[(k + i) % 16] = args.data.in[0][(i + k) % args.count];\n    float value = list[args.columns % 16];", "cuda_registers"),
    ("a call that no test knows", "launch.c", "    TRY(cuda_use(device, err));\n", "    TRY(cuda_use(device, err));\n    if (launch->blocks < 0)\n        cudaDeviceReset();\n", "cuda_imports"),
    ("a second call that no test knows", "stream.c", "    const cudaError_t error = cudaStreamSynchronize(cuda->stream);", "    const cudaError_t error = cudaDeviceSynchronize();", "cuda_imports"),
    ("an index from the end taken as one from the front", "kernels/gather.cu", "stated < 0 ? stated + size : stated", "stated", "cuda_team_test"),
    ("indices of 32 bits read as 64", "kernels/device_code.h", "return are_i64 ?", "return are_i64 || number >= 0 ?", "cuda_team_test"),
    ("indices out of range are followed", "indices.c", "        if (!indexed_next(&walk, &at))\n            return false;", "        (void)indexed_next(&walk, &at);", SESSION),
    ("positions in more elements than there are", "indices.c", "limit >= 0 && limit <= size", "limit >= 0 && size > 0", SESSION),
    ("of several updates the first wins", "scatter.c", "(a->part > b->part) - (a->part < b->part)", "(a->part < b->part) - (a->part > b->part)", CASES),
    ("each update joins all of its place", "kernels/scatter.cu", "    if (first > 0 && args.at[first - 1] == at)\n        return;\n", "", CASES),
    ("channels that are not shuffled", "kernels/shuffle.cu", "args.to[k]", "k", "cuda_selftest"),
    ("channels of the first input again", "shuffle.c", "        begin += source.dim;\n", "", "cuda_selftest"),
    ("the index of a later maximum", "kernels/pool.cu", "pool_is_max(value, max, index)", "value >= max", "cuda_pool_test"),
    ("cuBLASLt: the bias of another run", "product.c", "    if (product_has_bias(product->epilogue))\n        status = ", "    if (bias == product)\n        status = ", PRODUCTS),
    ("cuBLASLt: a matrix as a bias", "gemm.c", "(p->m == 1 || bias->bias_row == 0) && ", "", PRODUCTS),
    ("cuBLASLt: a bias without its factor", "gemm.c", " && bias->bias_scale == 1;", ";", PRODUCTS),
    ("cuBLASLt: the epilogue, and a kernel for it", "gemm.c", "gemm->product.epilogue == CUBLASLT_EPILOGUE_DEFAULT &&", "", PRODUCTS),
    ("pads that are made even on the other side", "conv_plan.c", "(int)begin;", "(int)end;", PADDED),
    ("cuDNN's workspace over the padded input", "conv_plan.c", "        used.workspace = (char *)data->workspace + plan->padded_bytes;\n", "", PADDED),
    ("tuning: the slowest plan", "tune.c", "time < *best_time", "time > *best_time", PROGRAM),
    ("tuning: a time that is not kept", "tune.c", 'return times->add(times->context, "cuda", kernel, tuner->layer, *time_ns, tuner->err);', "return STRIDER_OK;", PROGRAM),
    ("tuning: times of any GPU", "tune.c", "tuner->device->product, cudnnGetVersion()", '"a GPU", cudnnGetVersion()', PROGRAM),
    ("pinned memory that is used again too early", "stream.c", "        TRY(wait_for_all(cuda, err));\n    }", "        staging->used_bytes = 0;\n    }", SESSION),
    ("a download into memory that its caller may have freed", "stream.c", "    if (status)\n        cuda->n_downloads = 0;", "", SESSION),
    ("a recorded run with the inputs of the one before", "stream.c", "        memcpy(chunk, (const char *)from + done, size);", "        if (!cuda->recording || cuda->is_capturing)\n            memcpy(chunk, (const char *)from + done, size);", SESSION),
    ("a replay that goes on in its pinned memory", "stream.c", "    made->staging.used_bytes = 0;\n", "    (void)made;\n", SESSION),
    ("a function that cuDNN will drop", "dnn.c", "void dnn_plan_free(DnnPlan *plan) {\n", "void dnn_plan_free(DnnPlan *plan) {\n    (void)cudnnConvolutionForward;\n", "build"),
    ("attention: weighed values that are not scaled down", "kernels/attention.cu", "out[r][j] *= shared->factors[own + r];", "out[r][j] *= 1;", HEADS),
    ("attention: one row of the mask for all", "kernels/attention.cu", "(long long)row * args->mask.row + key", "key", HEADS),
    ("attention: values that a row does not see", "kernels/attention.cu", "if (weight != 0) /* what", "if (own >= 0) /* what", HEADS),
    ("attention: keys of another head", "kernels/attention.cu", "tile->head / (args->heads / args->kv_heads)", "tile->head % args->kv_heads", HEADS),
    ("attention: a barrier is missing", "kernels/attention.cu", "    __syncthreads(); /* all have read the parts and the largest */\n", "", HEADS),
    ("attention: keys after the last", "kernels/attention.cu", "row < n_keys && d < width", "d < width", CHECKED.format("heads")),
    ("attention: past keys in the place of new ones", "attention.c", "g->new_keys, g->past, size, list", "g->new_keys, 0, size, list", HEADS),
    ("rotary embedding: pairs of neighbours", "kernels/rotary.cu", "args.interleaved ? a + 1 : at + args.half", "a + 1", HEADS),
    ("sampling: coordinates from the outermost", "kernels/sample.cu", "grid[KERNEL_SPATIAL - 1 - axis]", "grid[axis - sample.absent]", LAYERS),
    ("sampling: what is outside is read", "kernels/sample.cu", "if (z == GRID_OUTSIDE || y == GRID_OUTSIDE || column == GRID_OUTSIDE)", "if (n < 0)", CHECKED.format("layers")),
    ("deformable: the mask of the first offset group", "kernels/sample.cu", "args.data.in[4][row * args.outputs + output]", "args.data.in[4][tap * args.outputs + output]", LAYERS),
    ("deformable: columns of the first image", "deform_conv.c", "        TRY(cuda_launch(product->device, &deform->columns", "        if (args.image == 0)\n            TRY(cuda_launch(product->device, &deform->columns", LAYERS),
    ("Col2Im: a block of another width", "kernels/fold.cu", "of_y.tap) * x.kernel", "of_y.tap) * y.kernel", LAYERS),
    ("regions: all of the first image", "kernels/roi_align.cu", "(image * args.channels + channel)", "(image * 0 + channel)", LAYERS),
    ("an index out of range that nobody hears of", "kernels/device_code.h", "    if (!check.fault->node) {", "    if (size < 0) {", SESSION),
    ("an index out of range that is told twice", "stream.c", "    memset(cuda->fault.memory, 0, sizeof fault);\n", "", SESSION),
    ("recurrent: a barrier is missing", "kernels/recurrent.cu", "        __syncthreads();\n        for", "        for", LAYERS),
    ("recurrent: backwards from the last step of all", "kernels/recurrent.cu", "row.length - 1 - step", "args.steps - 1 - step", LAYERS),
    ("recurrent: W of the first direction", "recurrent.c", "{0, count_of(n, g->inputs), count_of(m, n)}", "{0, 0, count_of(m, n)}", LAYERS),
    ("a triangle without its diagonal", "kernels/move.cu", "column >= diagonal", "column > diagonal", LAYERS),
    ("a product that is a sum", "kernels/scan.cu", "args->is_product ? a * b : a + b", "args->is_product ? b + a : a + b", LAYERS),
    ("the last maximum", "kernels/softmax.cu", "> x[(long long)best * args.inner]", ">= x[(long long)best * args.inner]", LAYERS),
]


def run(*command):
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def make(build):
    return run("cmake", "--build", build, "--target", *TARGETS)


def fails(build, test):
    code, output = run("ctest", "--test-dir", build, "-R", f"^{test}$", "--no-tests=error", "--timeout", "1500")
    if "No tests were found" in output or "Skipped" in output:
        sys.exit(f"{test} did not run:\n{output}")
    if "Timeout" in output:
        sys.exit(f"{test} took too long, which says nothing")
    return code != 0


def try_mutant(build, mutant):
    what, name, text, replacement, test = mutant
    path = ROOT / OPS / name
    source = path.read_text()
    if source.count(text) < 1:
        return "IS NOT THERE ANY MORE"
    try:
        path.write_text(source.replace(text, replacement, 1))
        code, output = make(build)
        if code:
            return "caught" if test == "build" and "deprecated" in output else "DOES NOT COMPILE: " + "".join(re.findall("error.*", output)[:1])
        return "caught" if test != "build" and fails(build, test) else "NOT CAUGHT"
    finally:
        path.write_text(source)


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build")
    mutants = [mutant for mutant in MUTANTS if any(word in mutant[0] for word in sys.argv[2:] or [""])]
    code, output = make(build)
    if code:
        sys.exit(output)
    for test in sorted({mutant[4] for mutant in mutants} - {"build"}):
        if fails(build, test):
            sys.exit(f"{test} fails without any mistake")
    caught = 0
    print("| mistake | in | test that must fail | result |\n|---|---|---|---|")
    for mutant in mutants:
        result = try_mutant(build, mutant)
        caught += result == "caught"
        print(f"| {mutant[0]} | `{mutant[1]}` | `{mutant[4]}` | {result} |", flush=True)
    make(build)
    print(f"{caught} of {len(mutants)} caught")
    return caught != len(mutants)


if __name__ == "__main__":
    sys.exit(main())
