# SPDX-License-Identifier: Apache-2.0
"""The peers behind one interface: load(network, threads) gives a function from an input array to a list of outputs.  Each is
set to single precision and to a fixed number of threads, with the options that its documentation gives for low latency."""
import numpy


def load_onnxruntime(network, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(network.model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})


def load_openvino(network, threads):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32"}
    model = core.read_model(str(network.model))
    model.reshape(list(network.read("input", 0).shape))
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(x):
        result = request.infer([x], share_inputs=True, share_outputs=True)
        return [result[i] for i in range(len(request.model_outputs))]

    return run


def load_ncnn(network, threads):
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage", "use_int8_inference"):
        setattr(net.opt, option, False)
    for kind, call in (("param", net.load_param), ("bin", net.load_model)):
        if call(str(network.converted / f"model.ncnn.{kind}")) != 0:
            raise RuntimeError(f"ncnn cannot load model.ncnn.{kind}")
    inputs, outputs = net.input_names(), net.output_names()

    def run(x):
        extractor = net.create_extractor()
        extractor.input(inputs[0], ncnn.Mat(x[0]))
        return [numpy.array(extractor.extract(name)[1]) for name in outputs]

    return run


def load_mnn(network, threads):
    import MNN.expr
    import MNN.nn

    runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": threads, "precision": "high"},))
    net = MNN.nn.load_module_from_file(str(network.converted / "model.mnn"), [], [], runtime_manager=runtime)

    def run(x):
        given = MNN.expr.convert(MNN.expr.const(x, list(x.shape), MNN.expr.NCHW), MNN.expr.NC4HW4)
        results = net.onForward([given])
        return [MNN.expr.convert(result, MNN.expr.NCHW).read() for result in results]

    return run


ENGINES = {"onnxruntime": load_onnxruntime, "openvino": load_openvino, "ncnn": load_ncnn, "mnn": load_mnn}
