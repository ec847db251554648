#!/usr/bin/env python3
"""QuickFIX on both sides of a FIX gateway: a firm that sends orders, replaces and cancels, a venue that answers them, and between
them and the gateway relays that cut connections at random bytes. Checks that no message is lost, doubled or unaccounted.

Needs the PyPI package `quickfix`. Prints one line of JSON with what was counted; exits 1 when something is amiss.

    fix-street.py --version FIX.4.4 --gateway 127.0.0.1:5001 --venue-port 6001 --orders 10000 --cut-bytes 60000
"""

import argparse
import collections
import json
import random
import select
import socket
import sys
import tempfile
import threading
import time

import quickfix as fix

SOH = "\x01"


class Relay(threading.Thread):
    """Carries bytes between whoever connects to `port` and `to`; cuts both connections after a random number of bytes."""

    def __init__(self, to, cut_bytes, rng):
        super().__init__(daemon=True)
        self.to, self.cut_bytes, self.rng = to, cut_bytes, rng
        self.cuts, self.stopped = 0, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            near, _ = self.listener.accept()
            try:
                far = socket.create_connection(self.to, timeout=2)
            except OSError:
                near.close()
                continue
            self.carry(near, far)

    def carry(self, near, far):
        left = self.rng.randrange(1, 2 * self.cut_bytes) if self.cut_bytes else None
        pairs = {near: far, far: near}
        for one in pairs:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                for one in select.select(list(pairs), [], [], 0.5)[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    if left is not None and not self.stopped and len(data) >= left:
                        pairs[one].sendall(data[:left])
                        self.cuts += 1
                        return
                    if left is not None:
                        left -= len(data)
                    pairs[one].sendall(data)
        except OSError:
            return
        finally:
            # Half of the cuts are resets, so that bytes under way are lost.
            if self.rng.random() < 0.5:
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                for one in pairs:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            near.close()
            far.close()


class Side(fix.Application):
    """What both sides have in common."""

    def __init__(self):
        super().__init__()
        self.lock = threading.RLock()
        self.session, self.logons, self.refused = None, 0, []

    def onCreate(self, session):
        self.session = session

    def onLogon(self, session):
        self.logons += 1

    def onLogout(self, session):
        pass

    def toAdmin(self, message, session):
        pass

    def fromAdmin(self, message, session):
        if message.getHeader().getField(35) == "3":
            self.refused.append(message.toString().replace(SOH, "|"))

    def toApp(self, message, session):
        pass

    def fromApp(self, message, session):
        with self.lock:
            self.take(message, message.getHeader().getField(35))

    def send(self, kind, fields):
        message = fix.Message()
        message.getHeader().setField(fix.StringField(35, kind))
        for tag, value in fields:
            message.setField(fix.StringField(tag, str(value)))
        fix.Session.sendToTarget(message, self.session)


def get(message, tag):
    return message.getField(tag) if message.isSetField(tag) else None


def stamp():
    now = time.time()
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now)) + ".%03d" % (now % 1 * 1000)


class Venue(Side):
    """Takes every order, fills some at once and some later, and answers replaces and cancels."""

    def __init__(self, version, symbol, rng):
        super().__init__()
        self.old, self.symbol, self.rng = version == "FIX.4.2", symbol, rng
        self.orders, self.taken, self.execs, self.fills = {}, {}, {}, 0
        self.doubled = []

    def report(self, order, client_id, what, status, qty=0, original=None):
        exec_id = "E%d" % (len(self.execs) + 1)
        self.execs[exec_id] = (client_id, qty)
        if qty:
            order["done"] += qty
            self.fills += qty
        leaves = order["qty"] - order["done"] if status in "016" else 0
        fields = [(37, order["id"]), (11, client_id), (17, exec_id), (39, status), (55, self.symbol), (54, order["side"]),
                  (38, order["qty"]), (151, leaves), (14, order["done"]), (6, "100.00" if order["done"] else "0"),
                  (60, stamp())]
        if self.old:
            fields.append((20, "0"))
            what = {"F": "2" if status == "2" else "1"}.get(what, what)
        fields.append((150, what))
        if original:
            fields.append((41, original))
        if qty:
            fields += [(32, qty), (31, "100.00")]
        self.send("8", fields)

    def refuse(self, message, response_to):
        self.send("9", [(37, "NONE"), (11, get(message, 11)), (41, get(message, 41)), (39, "8"), (434, response_to), (102, "1")])

    def fill(self, order, client_id, qty):
        self.report(order, client_id, "F", "2" if order["done"] + qty == order["qty"] else "1", qty)

    def take(self, message, kind):
        client_id, original = get(message, 11), get(message, 41)
        if client_id in self.taken:
            self.doubled.append(client_id)
        self.taken[client_id] = kind
        if any(get(message, tag) for tag in (8011, 8012, 8013)):
            self.refused.append("alert tags at the venue")
        if kind == "D":
            order = {"id": "V" + client_id, "qty": int(float(get(message, 38))), "done": 0, "side": get(message, 54)}
            self.orders[client_id] = order
            self.report(order, client_id, "0", "0")
            if self.rng.random() < 0.5:
                self.fill(order, client_id, self.rng.randrange(1, order["qty"] + 1))
        elif original in self.orders:
            order = self.orders[original]
            if order["done"] == order["qty"] or order.get("gone"):
                return self.refuse(message, "2" if kind == "G" else "1")
            if kind == "F":
                order["gone"] = True
                self.report(order, client_id, "4", "4", 0, original)
            else:
                qty = int(float(get(message, 38)))
                if qty <= order["done"]:
                    return self.refuse(message, "2")
                order["qty"] = qty
                self.orders[client_id] = self.orders.pop(original)
                self.report(order, client_id, "5", "5" if self.old else "0", 0, original)
                if self.rng.random() < 0.3:
                    self.fill(order, client_id, order["qty"] - order["done"])
        else:
            self.refuse(message, "2" if kind == "G" else "1")

    def working(self):
        return sum(o["qty"] - o["done"] for o in self.orders.values() if not o.get("gone"))


class Firm(Side):
    """Sends orders, then replaces or cancels some of them; keeps what it hears."""

    def __init__(self, symbol, cents, rng):
        super().__init__()
        self.symbol, self.cents, self.rng = symbol, cents, rng
        self.sent, self.heard, self.execs, self.doubled = {}, {}, {}, []
        self.untagged = 0

    def take(self, message, kind):
        client_id, exec_id = get(message, 11), get(message, 17)
        if kind in "89" and get(message, 8011) is None:
            self.untagged += 1
        self.heard.setdefault(client_id, []).append((kind, get(message, 39), get(message, 58) or ""))
        if exec_id:
            if exec_id in self.execs:
                self.doubled.append(exec_id)
            self.execs[exec_id] = (client_id, int(float(get(message, 32) or 0)))

    def price(self, side):
        """A price that rests, on the side's side of the market."""
        away = self.rng.randrange(20, 60)
        cents = self.cents - away if side == "1" else self.cents + away
        return "%d.%02d" % (cents // 100, cents % 100)

    def order(self, number):
        qty = 50000 if number % 50 == 0 else self.rng.randrange(1, 20)
        side = self.rng.choice("12")
        fields = [(55, self.symbol), (54, side), (38, qty), (40, "2"), (44, self.price(side))]
        self.say("D", "o%d" % number, fields, side)

    def follow(self, number, original):
        side = self.sent[original][1]
        fields = [(41, original), (55, self.symbol), (54, side)]
        if number % 2:
            self.say("F", "c%d" % number, fields + [(38, 20)], side)
        else:
            fields += [(38, self.rng.randrange(1, 40)), (40, "2"), (44, self.price(side))]
            self.say("G", "r%d" % number, fields, side)

    def say(self, kind, client_id, fields, side):
        with self.lock:
            self.sent[client_id] = (kind, side)
        extra = [(21, "1"), (59, "0")] if kind != "F" else []
        self.send(kind, [(11, client_id), (60, stamp())] + fields + extra)


def settings(role, port, version, sender, target, folder, dictionaries):
    fixt = version == "FIXT.1.1"
    app = "FIX50SP2.xml" if fixt else version.replace(".", "") + ".xml"
    lines = ["[DEFAULT]", "ConnectionType=" + role, "FileStorePath=" + folder, "StartTime=00:00:00", "EndTime=00:00:00",
             "ReconnectInterval=1", "HeartBtInt=5", "UseDataDictionary=Y", "ValidateUserDefinedFields=N",
             "ValidateFieldsOutOfOrder=N", "SocketNodelay=Y", "ResetOnLogon=N", "CheckLatency=Y", "TimestampPrecision=3"]
    if fixt:
        lines += ["TransportDataDictionary=%s/FIXT11.xml" % dictionaries, "AppDataDictionary=%s/%s" % (dictionaries, app),
                  "DefaultApplVerID=FIX.5.0SP2"]
    else:
        lines += ["DataDictionary=%s/%s" % (dictionaries, app)]
    lines += ["[SESSION]", "BeginString=" + version, "SenderCompID=" + sender, "TargetCompID=" + target]
    lines += ["SocketAcceptPort=%d" % port] if role == "acceptor" else ["SocketConnectHost=127.0.0.1", "SocketConnectPort=%d" % port]
    path = folder + "/" + sender + ".cfg"
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return fix.SessionSettings(path)


def quiet(firm, venue, relays, seconds):
    """Waits until nothing moves any more and nothing is missing, or the time is over."""
    end = time.time() + seconds
    before, since = None, time.time()
    while time.time() < end:
        with firm.lock, venue.lock:
            now = (len(firm.execs), len(firm.heard), len(venue.execs), len(venue.taken))
            unanswered = [i for i in firm.sent if i not in firm.heard]
            missing = [e for e in venue.execs if e not in firm.execs]
        if now != before:
            before, since = now, time.time()
        if time.time() - since > (3 if not (unanswered or missing) else 25):
            return
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", default="FIX.4.4", choices=["FIX.4.2", "FIX.4.4", "FIXT.1.1"])
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--venue-port", type=int, required=True, help="where the gateway connects to")
    parser.add_argument("--dictionaries", required=True)
    parser.add_argument("--symbol", default="AAPL")
    parser.add_argument("--cents", type=int, default=10001, help="the price about which orders rest")
    parser.add_argument("--burst", type=int, default=50, help="orders between two pauses")
    parser.add_argument("--pause-ms", type=int, default=20)
    parser.add_argument("--orders", type=int, default=10000)
    parser.add_argument("--cut-bytes", type=int, default=60000, help="mean bytes between cuts; 0 cuts nothing")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    host, port = args.gateway.split(":")
    to_gateway = Relay((host, int(port)), args.cut_bytes, random.Random(args.seed + 1))
    inner = socket.create_server(("127.0.0.1", 0))
    venue_port = inner.getsockname()[1]
    inner.close()
    to_venue = Relay(("127.0.0.1", venue_port), args.cut_bytes, random.Random(args.seed + 2))
    to_venue.listener.close()
    to_venue.listener = socket.create_server(("127.0.0.1", args.venue_port))
    firm = Firm(args.symbol, args.cents, rng)
    venue = Venue(args.version, args.symbol, random.Random(args.seed + 3))
    folder = tempfile.mkdtemp(prefix="fix-street-")
    acceptor_settings = settings("acceptor", venue_port, args.version, "VENUE", "US", folder, args.dictionaries)
    initiator_settings = settings("initiator", to_gateway.port, args.version, "FIRM", "GATE", folder, args.dictionaries)
    acceptor = fix.SocketAcceptor(venue, fix.FileStoreFactory(acceptor_settings), acceptor_settings)
    initiator = fix.SocketInitiator(firm, fix.FileStoreFactory(initiator_settings), initiator_settings)
    to_gateway.start()
    to_venue.start()
    acceptor.start()
    initiator.start()
    end = time.time() + 30
    while not (firm.logons and venue.logons):
        if time.time() > end:
            sys.exit("no logon on both sides within 30 s")
        time.sleep(0.05)
    # A market that has just begun is not traded yet.
    end, probes = time.time() + 90, 0
    while not any(kind == "D" for kind in list(venue.taken.values())):
        if time.time() > end:
            sys.exit("no order passes within 90 s: " + str([heard[-1] for heard in firm.heard.values()][-1:]))
        probes += 1
        firm.order(-probes)
        time.sleep(0.2)
    began = time.time()
    for number in range(1, args.orders + 1):
        firm.order(number)
        if number > 20 and rng.random() < 0.4:
            firm.follow(number, "o%d" % rng.randrange(max(1, number - 40), number))
        if number % args.burst == 0:
            time.sleep(args.pause_ms / 1000)
    sent_in = time.time() - began
    to_gateway.stopped = to_venue.stopped = True
    quiet(firm, venue, (to_gateway, to_venue), 120)
    with firm.lock, venue.lock:
        by_gateway = {i for i, heard in firm.heard.items() if any(text for _, _, text in heard) and i not in venue.taken}
        wrong = {
            "unanswered": [i for i in firm.sent if i not in firm.heard],
            "lost orders": [i for i in firm.sent if i not in venue.taken and i not in by_gateway],
            "refused and sent": [i for i, heard in firm.heard.items()
                                 if i in venue.taken and venue.taken[i] == "D" and any(k == "8" and s == "8" for k, s, _ in heard)],
            "doubled orders": venue.doubled,
            "lost reports": [e for e in venue.execs if e not in firm.execs],
            "doubled reports": firm.doubled,
            "invented reports": [e for e in firm.execs if e not in venue.execs and not e.startswith("R")],
            "changed reports": [e for e, what in venue.execs.items() if firm.execs.get(e) != what],
            "rejects of the session": firm.refused + venue.refused,
            "reports without the alert tag": ["%d" % firm.untagged] if firm.untagged else [],
        }
        buys = sum(q for i, q in venue.execs.values() if firm.sent[i][1] == "1")
        counts = {
            "version": args.version, "orders": args.orders, "messages sent": len(firm.sent), "taken by the venue": len(venue.taken),
            "refused by the gateway": len(by_gateway), "why": dict(collections.Counter(
                heard[0][2].split(":")[0] for i, heard in firm.heard.items() if i in by_gateway)), "reports": len(venue.execs), "cuts": to_gateway.cuts + to_venue.cuts,
            "logons": firm.logons + venue.logons, "seconds": round(sent_in, 1),
            "position": buys - (venue.fills - buys), "working": venue.working(),
            "wrong": {what: len(which) for what, which in wrong.items() if which},
        }
    print(json.dumps(counts), flush=True)
    for what, which in wrong.items():
        if which:
            print(what + ":", which[:5], file=sys.stderr)
    initiator.stop(True)
    acceptor.stop(True)
    sys.exit(1 if any(wrong.values()) else 0)


if __name__ == "__main__":
    main()
