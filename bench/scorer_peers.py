#!/usr/bin/env python3
"""ONNX Runtime on the networks that `cargo bench -p bench --bench scorer` measures, one thread, the same batch sizes.

    pip install onnxruntime onnx numpy
    bench/scorer_peers.py                        both networks, its own rounds
    bench/scorer_peers.py --against COMMAND ...  COMMAND (the built bench, with its arguments) runs in turn with it, and the
                                                 ratio of the medians is printed

What runs is what our kernels run without the normalisation: rows as prepared, encoder, posterior mean, decoder, mean squared
reconstruction error. `shipped` reads its weights from gpu/models/default; `32-64-32-8` draws the weights of a larger
network. ONNX Runtime has its default graph optimisations, and input and output are bound once, outside the clock.
"""

import argparse
import json
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

BATCHES = [1, 64, 1024, 8192]
ROUNDS = 15
ROUND_S = 0.05
WEIGHTS = pathlib.Path(__file__).parent.parent / "gpu/models/default/weights.safetensors"
SHIPPED = ["encoder.0", "encoder.1", "mu", "decoder.0", "decoder.1", "decoder.2"]
LARGE = [32, 64, 32, 8, 32, 64, 32]
LATENT_LAYER = 2


def read_safetensors(path):
    """Tensors of a file: eight bytes of length, a JSON header, the numbers."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"])
    return tensors


def shipped():
    """The default model's layers; the columns of the missing bits, zeros in a whole row, are left out as ours are."""
    tensors = read_safetensors(WEIGHTS)
    layers = [(tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in SHIPPED]
    features = layers[-1][0].shape[0]
    layers[0] = (np.ascontiguousarray(layers[0][0][:, :features]), layers[0][1])
    return layers


def large():
    rng = np.random.default_rng(1)
    pairs = zip(LARGE, LARGE[1:])
    return [
        (rng.normal(0, (2 / k) ** 0.5, (n, k)).astype("f4"), rng.normal(0, 0.1, n).astype("f4")) for k, n in pairs
    ]


def graph(layers):
    """The network as an ONNX model with a free number of rows."""
    nodes, constants, here = [], [], "x"
    for i, (weight, bias) in enumerate(layers):
        constants += [numpy_helper.from_array(weight.copy(), f"w{i}"), numpy_helper.from_array(bias.copy(), f"b{i}")]
        nodes.append(helper.make_node("Gemm", [here, f"w{i}", f"b{i}"], [f"s{i}"], transB=1))
        here = f"s{i}"
        if i != LATENT_LAYER and i + 1 < len(layers):
            nodes.append(helper.make_node("Relu", [here], [f"h{i}"]))
            here = f"h{i}"
    constants.append(numpy_helper.from_array(np.array([1], "i8"), "axes"))
    nodes.append(helper.make_node("Sub", ["x", here], ["error"]))
    nodes.append(helper.make_node("Mul", ["error", "error"], ["square"]))
    nodes.append(helper.make_node("ReduceMean", ["square", "axes"], ["y"], keepdims=0))
    width = layers[0][0].shape[1]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", width]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows"]),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "autoencoder", ends[:1], ends[1:], constants),
        opset_imports=[helper.make_opsetid("", 18)],
    )
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()


def plain(layers, x):
    """The oracle, in double precision."""
    here = x.astype("f8")
    for i, (weight, bias) in enumerate(layers):
        here = here @ weight.astype("f8").T + bias
        if i != LATENT_LAYER and i + 1 < len(layers):
            here = np.maximum(here, 0)
    return ((x - here) ** 2).mean(axis=1)


def bench(name, layers):
    """Functions that run one batch each, checked against the oracle."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    session = ort.InferenceSession(graph(layers), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(2)
    runs = {}
    for rows in BATCHES:
        x = rng.normal(0, 1, (rows, layers[0][0].shape[1])).astype("f4")
        y = np.empty(rows, "f4")
        binding = session.io_binding()
        binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
        binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
        session.run_with_iobinding(binding)
        np.testing.assert_allclose(y, plain(layers, x), rtol=1e-4)
        # The arrays stay alive in the closure: the binding holds bare pointers.
        runs[f"{name}, {rows} rows"] = lambda binding=binding, keep=(x, y): session.run_with_iobinding(binding)
    return runs


def time_us(run):
    """Median microseconds of a call over a short round."""
    times, end = [], time.perf_counter() + ROUND_S
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter_ns()
        run()
        times.append((time.perf_counter_ns() - start) / 1e3)
    return statistics.median(times)


def ours_us(command):
    """Medians of the network rows of one run of our bench: {kernel: {row: microseconds}}."""
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {}
    for kernel, name, rows, median in re.findall(r"^network (\S+), (\S+), (\d+) rows +([\d.]+)", text, re.M):
        found.setdefault(kernel, {})[f"{name}, {rows} rows"] = float(median) * int(rows) / 1e3
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", nargs=argparse.REMAINDER, help="our bench and its arguments")
    against = parser.parse_args().against
    runs = bench("shipped", shipped()) | bench("32-64-32-8", large())
    theirs, ours = {row: [] for row in runs}, {}
    for turn in range(ROUNDS):
        for row, run in runs.items():
            theirs[row].append(time_us(run))
        if against and turn % 5 == 0:
            for kernel, rows in ours_us(against).items():
                for row, value in rows.items():
                    ours.setdefault(kernel, {}).setdefault(row, []).append(value)
    print(f"onnxruntime {ort.__version__}, numpy {np.__version__}, one thread, {ROUNDS} rounds, us per batch")
    head = "".join(f" {kernel:>10} {'ratio':>6}" for kernel in ours)
    print(f"{'':24} {'median':>9} {'min':>9}{head}")
    for row, values in theirs.items():
        median = statistics.median(values)
        columns = ""
        for kernel in ours:
            mine = statistics.median(ours[kernel][row]) if row in ours[kernel] else float("nan")
            columns += f" {mine:10.2f} {median / mine:6.2f}"
        print(f"{row:24} {median:9.2f} {min(values):9.2f}{columns}")


if __name__ == "__main__":
    sys.exit(main())
