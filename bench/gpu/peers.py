#!/usr/bin/env python3
"""The scorer's network in PyTorch (eager, torch.compile, CUDA graph) and ONNX Runtime (CUDA, TensorRT, CPU), host to host.

What is not installed is said and skipped. A batch is what the fused kernel takes without the normalisation: rows as prepared in
pinned memory, copied to the card, encoded, held, decoded, judged; raw scores and the three largest shares copied back to
pinned memory, then waited for. Less work than ours, on purpose: what is left out would only slow them. Same card, same sizes.
"""

import argparse
import json
import pathlib
import struct
import time

try:
    import numpy as np
except ImportError as why:
    raise SystemExit(f"peers: {why}; they need NumPy") from None

UNIVERSES = [64, 256, 1024, 4096, 8192, 16384]
FEATURES = 13
SAMPLES = 1000
ROW_S = 1.0
MODEL = pathlib.Path(__file__).parent.parent.parent / "gpu/models/default"
LAYERS = ["encoder.0", "encoder.1", "mu", "decoder.0", "decoder.1", "decoder.2"]


def tensors():
    """The default model's weights: eight bytes of length, a JSON header, the numbers."""
    data = (MODEL / "weights.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    found = {}
    for name, entry in header.items():
        if name.rsplit(".", 1)[0] in LAYERS:
            begin, end = entry["data_offsets"]
            found[name] = np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"]).copy()
    return found


def law():
    """Error scales and calm range, from the manifest's [score]."""
    found = {}
    for line in (MODEL / "manifest.toml").read_text().splitlines():
        name, _, value = line.partition(" = ")
        if name in ("s", "latent_min", "latent_max") and name not in found:
            found[name] = np.array(json.loads(value), np.float32)
    return found


def rows(count):
    random = np.random.default_rng(1)
    x = np.zeros((count, 2 * FEATURES), np.float32)
    x[:, :FEATURES] = random.normal(size=(count, FEATURES)).clip(-10, 10)
    return x


def reference(x):
    """In double precision."""
    w, constants = tensors(), law()
    h = x.astype(np.float64)
    for i, name in enumerate(LAYERS):
        h = h @ w[f"{name}.weight"].T.astype(np.float64) + w[f"{name}.bias"]
        if name == "mu":
            h = h.clip(constants["latent_min"], constants["latent_max"])
        elif i < len(LAYERS) - 1:
            h = np.maximum(h, 0)
    return (((x[:, :FEATURES] - h) / constants["s"]) ** 2).mean(1)


def clock(call):
    """Percentiles of `call`, in us."""
    for _ in range(50):
        call()
    samples, end = [], time.perf_counter() + ROW_S
    while len(samples) < SAMPLES and time.perf_counter() < end:
        start = time.perf_counter_ns()
        call()
        samples.append(time.perf_counter_ns() - start)
    return np.array(samples) / 1e3


class Results:
    def __init__(self):
        self.rows = []

    def add(self, engine, universe, samples, error):
        p50, p99, p999 = np.percentile(samples, [50, 99, 99.9])
        self.rows.append({"engine": engine, "rows": universe, "p50_us": p50, "p99_us": p99, "p99.9_us": p999, "max_us": samples.max(), "count": len(samples), "error": error})
        print(f"{engine:24} {universe:6} {p50:9.2f} {p99:9.2f} {p999:9.2f} {samples.max():9.2f}  error {error:.1e}", flush=True)

    def attempt(self, engine, universe, make):
        """Times what `make(x)` gives: a call that returns the scores."""
        x = rows(universe)
        try:
            call = make(x)
            want = reference(x)
            error = float(np.max(np.abs(np.asarray(call()) - want) / np.maximum(want, 1e-6)))
            self.add(engine, universe, clock(call), error)
        except Exception as why:  # a peer that fails is a line of the table, not the end of it
            print(f"{engine:24} {universe:6} failed: {str(why).splitlines()[0] if str(why) else type(why).__name__}", flush=True)


def torch_engines(results):
    try:
        import torch
    except ImportError:
        return print("PyTorch: not installed here")
    if not torch.cuda.is_available():
        return print("PyTorch: no CUDA device")
    torch.backends.cuda.matmul.allow_tf32 = False
    print(f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}")
    w = {name: torch.from_numpy(value).cuda() for name, value in tensors().items()}
    constants = {name: torch.from_numpy(value).cuda() for name, value in law().items()}

    def forward(x):
        h = x
        for i, name in enumerate(LAYERS):
            h = torch.nn.functional.linear(h, w[f"{name}.weight"], w[f"{name}.bias"])
            if name == "mu":
                h = torch.clamp(h, constants["latent_min"], constants["latent_max"])
            elif i < len(LAYERS) - 1:
                h = torch.relu(h)
        share = ((x[:, :FEATURES] - h) / constants["s"]) ** 2
        return share.mean(1), *share.topk(3, 1)

    def stepper(function, x):
        """One batch, host to host, begun and not waited for; and where its raw scores come to lie."""
        host, card = torch.from_numpy(x).pin_memory(), torch.empty(x.shape, device="cuda")
        out = [torch.empty(s, dtype=t, pin_memory=True) for s, t in (((len(x),), torch.float32), ((len(x), 3), torch.float32), ((len(x), 3), torch.int64))]

        def step():
            card.copy_(host, non_blocking=True)
            for to, result in zip(out, function(card)):
                to.copy_(result, non_blocking=True)

        return step, out[0].numpy()

    def waited(begin, raw):
        def call():
            begin()
            torch.cuda.synchronize()
            return raw

        return call

    def engine(function):
        return lambda x: waited(*stepper(function, x))

    def graph(x):
        step, raw = stepper(forward, x)
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        side.synchronize()
        recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recorded):
            step()
        return waited(recorded.replay, raw)

    compiled = torch.compile(forward, dynamic=True)
    with torch.inference_mode():
        for universe in UNIVERSES:
            results.attempt("torch eager", universe, engine(forward))
            results.attempt("torch CUDA graph", universe, graph)
            results.attempt("torch.compile", universe, engine(compiled))


def onnx_model():
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    w, constants = tensors(), law()
    values = dict(w) | {"min": constants["latent_min"], "max": constants["latent_max"], "s": constants["s"], "from": np.array([0]), "to": np.array([FEATURES]), "axis": np.array([1]), "three": np.array([3])}
    nodes, at = [], "x"
    for i, name in enumerate(LAYERS):
        nodes.append(helper.make_node("Gemm", [at, f"{name}.weight", f"{name}.bias"], [f"sum{i}"], transB=1))
        at = f"sum{i}"
        if name == "mu":
            nodes += [helper.make_node("Max", [at, "min"], ["low"]), helper.make_node("Min", ["low", "max"], ["held"])]
            at = "held"
        elif i < len(LAYERS) - 1:
            nodes.append(helper.make_node("Relu", [at], [f"relu{i}"]))
            at = f"relu{i}"
    nodes += [
        helper.make_node("Slice", ["x", "from", "to", "axis"], ["target"]),
        helper.make_node("Sub", ["target", at], ["error"]),
        helper.make_node("Div", ["error", "s"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "scaled"], ["share"]),
        helper.make_node("ReduceMean", ["share", "axis"], ["raw"], keepdims=0),
        helper.make_node("TopK", ["share", "three"], ["shares", "features"], axis=1),
    ]
    info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    outputs = [info("raw", TensorProto.FLOAT, ["n"]), info("shares", TensorProto.FLOAT, ["n", 3]), info("features", TensorProto.INT64, ["n", 3])]
    graph = helper.make_graph(nodes, "scorer", [info("x", TensorProto.FLOAT, ["n", 2 * FEATURES])], outputs, [numpy_helper.from_array(v, k) for k, v in values.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def onnx_engines(results):
    try:
        import onnxruntime as ort

        model = onnx_model()
    except ImportError as why:
        return print(f"ONNX Runtime: {why}")
    print(f"ONNX Runtime {ort.__version__}: {', '.join(ort.get_available_providers())}")
    for provider in ("CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"):
        if provider not in ort.get_available_providers():
            print(f"ONNX Runtime: no {provider}")
            continue
        try:
            session = ort.InferenceSession(model, providers=[provider])
        except Exception as why:
            print(f"{provider}: {str(why).splitlines()[0]}")
            continue
        if session.get_providers()[0] != provider:
            print(f"{provider}: fell back to {session.get_providers()[0]}, not measured")
            continue
        for universe in UNIVERSES:
            results.attempt(f"onnx {provider.removesuffix('ExecutionProvider')}", universe, lambda x: lambda: session.run(None, {"x": x})[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    arguments = parser.parse_args()
    print(f"{'':24} {'rows':>6} {'p50':>9} {'p99':>9} {'p99.9':>9} {'max':>9}  us")
    results = Results()
    torch_engines(results)
    onnx_engines(results)
    (arguments.out / "peers.json").write_text(json.dumps(results.rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
