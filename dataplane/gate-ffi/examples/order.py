"""One order through the gate, in Python: as order.c, with ctypes and nothing else.

    PORTCULLIS_GATE_LIBRARY=/usr/local/lib/libportcullis_gate.so \\
        python3 order.py SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID [unsent]

One gate belongs to one thread at a time. PyDLL keeps the interpreter's lock during a call, so that two threads are never in the library at
once; with CDLL, which gives the lock up, a program needs a lock of its own around each call on a gate. A process that is forked from
the one that attached (multiprocessing's "fork") can do nothing with its gate: each attaches as a client of its own.
"""

import ctypes
import os
import sys
import time
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from decimal import Decimal
from types import SimpleNamespace

ABI_VERSION, OK, REFUSED, UNTOLD = 2, 0, 1, 3
BUY, LIMIT, DAY, EXECUTED_AT, CANCELLED, REPEATED = 1, 1, 1, 10, 6, 5


class Order(Structure):
    _fields_ = [
        ("id", c_uint64), ("price", c_int64), ("instrument", c_uint32), ("quantity", c_uint32), ("strategy", c_uint16),
        ("account", c_uint16), ("side", c_uint8), ("order_type", c_uint8), ("time_in_force", c_uint8), ("reserved", c_uint8 * 9),
    ]


class Event(Structure):
    _fields_ = [
        ("id", c_uint64), ("execution", c_uint64), ("price", c_int64), ("quantity", c_uint32), ("kind", c_uint8),
        ("reserved", c_uint8 * 3),
    ]


class Verdict(Structure):
    _fields_ = [
        ("limit", c_int64), ("value", c_int64), ("score_micros", c_uint32), ("version", c_uint32), ("reason", c_uint16),
        ("decision", c_uint8), ("tier", c_uint8), ("source", c_uint8), ("flags", c_uint8),
        ("would_reject", c_uint16), ("reserved", c_uint8 * 8),
    ]


class Reservation(Structure):
    _fields_ = [("id", c_uint64), ("generation", c_uint32), ("replacement", c_uint8), ("reserved", c_uint8 * 3)]


class Exposure(Structure):
    _fields_ = [
        ("position", c_int64), ("working_buy", c_uint64), ("working_sell", c_uint64), ("in_doubt", c_uint8),
        ("reserved", c_uint8 * 7),
    ]


class OpenOrder(Structure):
    _fields_ = [
        ("id", c_uint64), ("price", c_int64), ("instrument", c_uint32), ("leaves", c_uint32), ("strategy", c_uint16),
        ("account", c_uint16), ("side", c_uint8), ("reserved", c_uint8 * 3),
    ]


class Breach(Structure):
    _fields_ = [("limit", c_int64), ("value", c_int64), ("reason", c_uint16), ("unit", c_uint8), ("reserved", c_uint8 * 5)]


# The header's sizes: a field that is wrong above would write beyond its struct.
SIZES = {Order: 40, Event: 32, Verdict: 40, Reservation: 16, Exposure: 32, OpenOrder: 32, Breach: 24}
for struct, size in SIZES.items():
    if ctypes.sizeof(struct) != size:
        raise ImportError(f"{struct.__name__} has {ctypes.sizeof(struct)} bytes, wanted {size}")

# Every function of the header: what it gives and takes. One that is not declared is called with what ctypes guesses.
FUNCTIONS = {
    "abi_version": (c_uint32, []),
    "abi_minor": (c_uint32, []),
    "attach": (c_int32, [c_uint32, c_char_p, c_char_p, c_uint32, POINTER(c_void_p), c_char_p, c_size_t]),
    "detach": (None, [c_void_p]),
    "last_error": (c_char_p, [c_void_p]),
    "instrument": (c_int32, [c_void_p, c_char_p, POINTER(c_uint32)]),
    "strategy": (c_int32, [c_void_p, c_char_p, POINTER(c_uint16)]),
    "account": (c_int32, [c_void_p, c_char_p, POINTER(c_uint16)]),
    "reserve": (c_int32, [c_void_p, POINTER(Order), c_uint64, POINTER(Verdict), POINTER(Reservation)]),
    "replace": (c_int32, [c_void_p, c_uint64, POINTER(Order), c_uint64, POINTER(Verdict), POINTER(Reservation)]),
    "release": (c_int32, [c_void_p, POINTER(Reservation), c_uint64, POINTER(c_uint8)]),
    "settle": (c_int32, [c_void_p, POINTER(Event), c_uint64, POINTER(c_uint8)]),
    "set_position": (c_int32, [c_void_p, c_uint32, c_uint16, c_uint16, c_int64, c_uint64]),
    "exposure": (c_int32, [c_void_p, c_uint32, c_uint16, POINTER(Exposure)]),
    "open_orders": (c_int32, [c_void_p, POINTER(OpenOrder), c_size_t, POINTER(c_size_t)]),
    "explain": (c_int32, [c_void_p, POINTER(Order), c_uint64, POINTER(Verdict), POINTER(Breach), c_size_t, POINTER(c_size_t)]),
    "lost": (c_int32, [c_void_p, POINTER(c_uint64)]),
    "orphaned": (c_int32, [c_void_p, POINTER(c_uint8)]),
    "reason_slug": (c_char_p, [c_uint16]),
    "reason_sentence": (c_char_p, [c_uint16]),
    "reason_text": (c_int32, [c_uint16, c_int64, c_int64, c_char_p, c_size_t]),
}


def library():
    """The declared functions of the library, and nothing else of it."""
    loaded = ctypes.PyDLL(os.environ.get("PORTCULLIS_GATE_LIBRARY", f"libportcullis_gate.so.{ABI_VERSION}"))
    lib = SimpleNamespace()
    for name, (gives, takes) in FUNCTIONS.items():
        function = getattr(loaded, f"portcullis_gate_{name}")
        function.restype, function.argtypes = gives, takes
        setattr(lib, name, function)
    return lib


class Gate:
    """The gate of one order thread; a context manager, which gives it up."""

    def __init__(self, socket, client):
        self.lib, self.gate, error = library(), c_void_p(), ctypes.create_string_buffer(512)
        status = self.lib.attach(
            ABI_VERSION, socket.encode(), client.encode(), 5000, byref(self.gate), error, len(error))
        if status != OK:
            raise RuntimeError(error.value.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        gate, self.gate = self.gate, c_void_p()  # NULL: what comes after is refused
        self.lib.detach(gate)

    def call(self, name, *arguments):
        """Calls a declared function on the gate; gives its status when that is no error."""
        status = getattr(self.lib, name)(self.gate, *arguments)
        if status < OK:
            raise RuntimeError(self.lib.last_error(self.gate).decode())
        if status == UNTOLD:
            print("order: the appliance does not know of it", file=sys.stderr)
        return status

    def number(self, kind, name, number):
        self.call(kind, name.encode(), byref(number))
        return number.value

    def open_orders(self):
        count = c_size_t()
        self.call("open_orders", None, 0, byref(count))
        room = (OpenOrder * count.value)()
        self.call("open_orders", room, len(room), byref(count))
        return room

    def settle(self, **event):
        settled = c_uint8()
        self.call("settle", byref(Event(**event)), time.time_ns(), byref(settled))
        return settled.value

    def text(self, breach):
        """What a verdict or a breach says, in a sentence."""
        text = ctypes.create_string_buffer(256)
        if self.lib.reason_text(breach.reason, breach.limit, breach.value, text, len(text)) != OK:
            return f"reason {breach.reason}, limit {breach.limit}, found {breach.value}"
        return text.value.decode()

    def breaches(self, order):
        """Everything that is wrong with an order."""
        verdict, room, count = Verdict(), (Breach * 64)(), c_size_t()
        self.call("explain", byref(order), time.time_ns(), byref(verdict), room, len(room), byref(count))
        return room[: count.value]


def print_open_orders(gate):
    for held in gate.open_orders():
        print("open:", held.id, "leaves", held.leaves)


def send(order, is_reached):
    """Where the order would go to the venue."""
    if not is_reached:
        raise OSError("the venue cannot be reached")
    print("sent:", order.id)


def trade(gate, order, is_reached):
    """Reserves and sends; gives the exit code."""
    verdict, reservation = Verdict(), Reservation()
    status = gate.call("reserve", byref(order), time.time_ns(), byref(verdict), byref(reservation))
    if status == REFUSED:
        print("refused:", gate.text(verdict))
        for breach in gate.breaches(order):
            if breach.reason != verdict.reason:
                print("also:", gate.text(breach))
        return 3
    try:
        if status != OK:
            raise OSError("the appliance does not know of the order")
        send(order, is_reached)
    except OSError:
        gate.call("release", byref(reservation), time.time_ns(), byref(c_uint8()))
        print("released:", reservation.id)
        return 4
    print_open_orders(gate)
    executed = {"id": order.id, "execution": order.id, "price": order.price, "quantity": 1, "kind": EXECUTED_AT}
    gate.settle(**executed)
    if gate.settle(**executed) != REPEATED:
        raise RuntimeError("an execution counted twice")
    gate.settle(id=order.id, kind=CANCELLED)
    return 0


def main():
    socket, client, strategy, account, symbol, quantity, price, number, *unsent = sys.argv[1:]
    with Gate(socket, client) as gate:
        print_open_orders(gate)
        order = Order(
            id=int(number), price=int(Decimal(price) * 10**9), instrument=gate.number("instrument", symbol, c_uint32()),
            quantity=int(quantity), strategy=gate.number("strategy", strategy, c_uint16()),
            account=gate.number("account", account, c_uint16()), side=BUY, order_type=LIMIT, time_in_force=DAY)
        code = trade(gate, order, not unsent)
        held, lost = Exposure(), c_uint64()
        gate.call("exposure", order.instrument, order.strategy, byref(held))
        gate.call("lost", byref(lost))
        print("position:", held.position, "working:", held.working_buy, held.working_sell, "lost:", lost.value)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError, ValueError) as error:
        print("order:", error, file=sys.stderr)
        sys.exit(1)
