"""One order through the gate, in Python: as order.c, with ctypes and nothing else.

    PORTCULLIS_GATE_LIBRARY=/usr/local/lib/libportcullis_gate.so \\
        python3 order.py SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID
"""

import ctypes
import os
import sys
import time
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from decimal import Decimal

ABI_VERSION, OK, REFUSED = 1, 0, 1
BUY, LIMIT, DAY, EXECUTED, CANCELLED, REPEATED = 1, 1, 1, 3, 6, 5


class Order(Structure):
    _fields_ = [
        ("id", c_uint64), ("price", c_int64), ("instrument", c_uint32), ("quantity", c_uint32), ("strategy", c_uint16),
        ("account", c_uint16), ("side", c_uint8), ("order_type", c_uint8), ("time_in_force", c_uint8), ("reserved", c_uint8),
    ]


class Event(Structure):
    _fields_ = [("id", c_uint64), ("execution", c_uint64), ("quantity", c_uint32), ("kind", c_uint8), ("reserved", c_uint8 * 3)]


class Verdict(Structure):
    _fields_ = [
        ("limit", c_int64), ("value", c_int64), ("score_micros", c_uint32), ("version", c_uint32), ("reason", c_uint16),
        ("decision", c_uint8), ("tier", c_uint8), ("source", c_uint8), ("flags", c_uint8), ("reserved", c_uint8 * 2),
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


def library():
    """The library, with the types of what is called here."""
    lib = ctypes.CDLL(os.environ.get("PORTCULLIS_GATE_LIBRARY", "libportcullis_gate.so.1"))
    status = {
        "attach": [c_uint32, c_char_p, c_char_p, c_uint32, POINTER(c_void_p), c_char_p, c_size_t],
        "instrument": [c_void_p, c_char_p, POINTER(c_uint32)],
        "strategy": [c_void_p, c_char_p, POINTER(c_uint16)],
        "account": [c_void_p, c_char_p, POINTER(c_uint16)],
        "reserve": [c_void_p, POINTER(Order), c_uint64, POINTER(Verdict), POINTER(Reservation)],
        "settle": [c_void_p, POINTER(Event), c_uint64, POINTER(c_uint8)],
        "exposure": [c_void_p, c_uint32, c_uint16, POINTER(Exposure)],
        "open_orders": [c_void_p, POINTER(OpenOrder), c_size_t, POINTER(c_size_t)],
        "explain": [c_void_p, POINTER(Order), c_uint64, POINTER(Verdict), POINTER(Breach), c_size_t, POINTER(c_size_t)],
        "lost": [c_void_p, POINTER(c_uint64)],
        "reason_text": [c_uint16, c_int64, c_int64, c_char_p, c_size_t],
    }
    for name, arguments in status.items():
        function = getattr(lib, f"portcullis_gate_{name}")
        function.argtypes, function.restype = arguments, c_int32
    lib.portcullis_gate_abi_version.restype = c_uint32
    lib.portcullis_gate_detach.argtypes, lib.portcullis_gate_detach.restype = [c_void_p], None
    lib.portcullis_gate_last_error.argtypes, lib.portcullis_gate_last_error.restype = [c_void_p], c_char_p
    return lib


class Gate:
    """The gate of one order thread; a context manager, which gives it up."""

    def __init__(self, socket, client):
        self.lib, self.gate, error = library(), c_void_p(), ctypes.create_string_buffer(512)
        status = self.lib.portcullis_gate_attach(
            ABI_VERSION, socket.encode(), client.encode(), 5000, byref(self.gate), error, len(error))
        if status != OK:
            raise RuntimeError(error.value.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib.portcullis_gate_detach(self.gate)

    def call(self, name, *arguments):
        """Calls a function on the gate; gives its status when that is no error."""
        status = getattr(self.lib, f"portcullis_gate_{name}")(self.gate, *arguments)
        if status < OK:
            raise RuntimeError(self.lib.portcullis_gate_last_error(self.gate).decode())
        return status

    def number(self, kind, name, number):
        self.call(kind, name.encode(), byref(number))
        return number.value

    def breaches(self, order):
        """Everything that is wrong with an order, a sentence each."""
        verdict, room, count = Verdict(), (Breach * 64)(), c_size_t()
        self.call("explain", byref(order), time.time_ns(), byref(verdict), room, len(room), byref(count))
        for breach in room[: count.value]:
            text = ctypes.create_string_buffer(256)
            self.lib.portcullis_gate_reason_text(breach.reason, breach.limit, breach.value, text, len(text))
            yield text.value.decode()


def main():
    socket, client, strategy, account, symbol, quantity, price, number = sys.argv[1:]
    with Gate(socket, client) as gate:
        order = Order(
            id=int(number), price=int(Decimal(price) * 10**9), instrument=gate.number("instrument", symbol, c_uint32()),
            quantity=int(quantity), strategy=gate.number("strategy", strategy, c_uint16()),
            account=gate.number("account", account, c_uint16()), side=BUY, order_type=LIMIT, time_in_force=DAY)
        verdict, reservation = Verdict(), Reservation()
        if gate.call("reserve", byref(order), time.time_ns(), byref(verdict), byref(reservation)) == REFUSED:
            for text in gate.breaches(order):
                print("refused:", text)
            return 3
        print("sent:", reservation.id)
        room, count = (OpenOrder * 64)(), c_size_t()
        gate.call("open_orders", room, len(room), byref(count))
        for held in room[: count.value]:
            print("open:", held.id, "leaves", held.leaves)
        settled, trade = c_uint8(), Event(id=order.id, execution=order.id, quantity=1, kind=EXECUTED)
        gate.call("settle", byref(trade), time.time_ns(), byref(settled))
        gate.call("settle", byref(trade), time.time_ns(), byref(settled))
        if settled.value != REPEATED:
            raise RuntimeError("an execution counted twice")
        gate.call("settle", byref(Event(id=order.id, kind=CANCELLED)), time.time_ns(), byref(settled))
        held, lost = Exposure(), c_uint64()
        gate.call("exposure", order.instrument, order.strategy, byref(held))
        gate.call("lost", byref(lost))
        print("position:", held.position, "working:", held.working_buy, held.working_sell, "lost:", lost.value)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError, ValueError) as error:
        print("order:", error, file=sys.stderr)
        sys.exit(1)
