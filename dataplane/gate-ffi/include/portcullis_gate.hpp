// The gate for C++17: portcullis_gate.h behind a class that gives the gate up by itself and throws what is an error. What the gate
// says of an order is no error: it is the answer.
#ifndef PORTCULLIS_GATE_HPP
#define PORTCULLIS_GATE_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "portcullis_gate.h"

namespace portcullis {

/// A call that failed, and why: nothing was done, unless its status is PORTCULLIS_GATE_FAILED.
class Error : public std::runtime_error {
 public:
  Error(std::int32_t status, const std::string& what) : std::runtime_error(what), status_(status) {}
  /// PORTCULLIS_GATE_INVALID or another negative status.
  std::int32_t status() const noexcept { return status_; }

 private:
  std::int32_t status_;
};

/// What the gate said of an order.
struct Answer {
  portcullis_verdict verdict;
  portcullis_reservation reservation;
  std::int32_t status;
  /// Whether the order may be sent.
  bool may_be_sent() const noexcept { return status == PORTCULLIS_GATE_OK; }
};

/// What an event, or a reservation that was given back, did.
struct Settled {
  /// PORTCULLIS_GATE_WORKING to PORTCULLIS_GATE_UNKNOWN_ORDER, or what a later library adds.
  std::uint8_t outcome;
  /// Whether the appliance knows of it; when not, its books are in doubt.
  bool told;
};

/// What the gate would say of an order, and everything that is wrong with it.
struct Explanation {
  portcullis_verdict verdict;
  std::vector<portcullis_breach> breaches;
};

/// The time as the gate wants it.
inline std::uint64_t now_ns() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

/// The stable name of a reason; empty when there is no such reason.
inline std::string slug(std::uint16_t reason) {
  const char* text = portcullis_gate_reason_slug(reason);
  return text ? text : "";
}

/// What a reason says, with {limit} and {value} where the numbers stand.
inline std::string sentence(std::uint16_t reason) {
  const char* text = portcullis_gate_reason_sentence(reason);
  return text ? text : "";
}

/// Slug and sentence of a breach, with its numbers.
inline std::string text(std::uint16_t reason, std::int64_t limit, std::int64_t value) {
  std::array<char, 256> room{};
  portcullis_gate_reason_text(reason, limit, value, room.data(), room.size());
  return room.data();
}

/// Milliseconds as the library takes them: what is beyond its numbers is its smallest or largest, and 0 is refused.
inline std::uint32_t milliseconds(std::chrono::milliseconds time) noexcept {
  constexpr std::chrono::milliseconds::rep most = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::chrono::milliseconds::rep>(time.count(), 0, most));
}

/// The gate of one order thread. It may be moved to another thread, and is used by one at a time.
class Gate {
 public:
  /// Attaches as `client` to the appliance behind `socket`.
  Gate(const std::string& socket, const std::string& client, std::chrono::milliseconds timeout) {
    std::array<char, 512> error{};
    portcullis_gate* gate = nullptr;
    const auto status =
        portcullis_gate_attach(PORTCULLIS_GATE_ABI_VERSION, socket.c_str(), client.c_str(),
                               milliseconds(timeout), &gate, error.data(), error.size());
    if (status != PORTCULLIS_GATE_OK) throw Error(status, error.data());
    gate_.reset(gate);
  }

  /// Whether this program was built for the library that it runs with: the same version, and nothing that is missing there.
  static bool fits() noexcept {
    return portcullis_gate_abi_version() == PORTCULLIS_GATE_ABI_VERSION &&
           std::greater_equal<std::uint32_t>{}(portcullis_gate_abi_minor(), PORTCULLIS_GATE_ABI_MINOR);
  }

  std::uint32_t instrument(const std::string& symbol) {
    std::uint32_t number = 0;
    must(portcullis_gate_instrument(gate_.get(), symbol.c_str(), &number));
    return number;
  }
  std::uint16_t strategy(const std::string& name) {
    std::uint16_t number = 0;
    must(portcullis_gate_strategy(gate_.get(), name.c_str(), &number));
    return number;
  }
  std::uint16_t account(const std::string& name) {
    std::uint16_t number = 0;
    must(portcullis_gate_account(gate_.get(), name.c_str(), &number));
    return number;
  }

  /// Whether a new order may be sent. See Unsent.
  [[nodiscard]] Answer reserve(const portcullis_order& order, std::uint64_t now = now_ns()) {
    Answer answer{};
    answer.status =
        must(portcullis_gate_reserve(gate_.get(), &order, now, &answer.verdict, &answer.reservation));
    return answer;
  }
  /// Whether `order` may replace the open order `replaced`.
  [[nodiscard]] Answer replace(std::uint64_t replaced, const portcullis_order& order, std::uint64_t now = now_ns()) {
    Answer answer{};
    answer.status =
        must(portcullis_gate_replace(gate_.get(), replaced, &order, now, &answer.verdict, &answer.reservation));
    return answer;
  }
  /// Takes note of what the venue says; gives what that did.
  [[nodiscard]] Settled settle(const portcullis_event& event, std::uint64_t now = now_ns()) {
    std::uint8_t outcome = 0;
    const auto status = must(portcullis_gate_settle(gate_.get(), &event, now, &outcome));
    return {outcome, status == PORTCULLIS_GATE_OK};
  }
  /// The order could not be sent after all.
  [[nodiscard]] Settled release(const portcullis_reservation& reservation, std::uint64_t now = now_ns()) {
    std::uint8_t outcome = 0;
    const auto status = must(portcullis_gate_release(gate_.get(), &reservation, now, &outcome));
    return {outcome, status == PORTCULLIS_GATE_OK};
  }
  /// Sets what a strategy holds: start of day, or reconciliation with the venue. Gives whether the appliance knows of it.
  [[nodiscard]] bool set_position(std::uint32_t instrument, std::uint16_t strategy, std::uint16_t account,
                                  std::int64_t position, std::uint64_t now = now_ns()) {
    return must(portcullis_gate_set_position(gate_.get(), instrument, strategy, account, position, now)) ==
           PORTCULLIS_GATE_OK;
  }

  portcullis_exposure exposure(std::uint32_t instrument, std::uint16_t strategy) {
    portcullis_exposure held{};
    must(portcullis_gate_exposure(gate_.get(), instrument, strategy, &held));
    return held;
  }
  std::vector<portcullis_open_order> open_orders() {
    std::size_t count = 0;
    must(portcullis_gate_open_orders(gate_.get(), nullptr, 0, &count));
    std::vector<portcullis_open_order> all(count);
    must(portcullis_gate_open_orders(gate_.get(), all.data(), all.size(), &count));
    return all;
  }
  Explanation explain(const portcullis_order& order, std::uint64_t now = now_ns()) {
    std::array<portcullis_breach, 64> room{};
    Explanation all{};
    std::size_t count = 0;
    must(portcullis_gate_explain(gate_.get(), &order, now, &all.verdict, room.data(), room.size(), &count));
    const auto there = static_cast<std::ptrdiff_t>(count < room.size() ? count : room.size());
    all.breaches.assign(room.begin(), room.begin() + there);
    return all;
  }

  /// Records that the appliance does not know of.
  std::uint64_t lost() {
    std::uint64_t count = 0;
    must(portcullis_gate_lost(gate_.get(), &count));
    return count;
  }
  /// Whether the appliance is gone: attach again. A system call.
  bool is_orphaned() {
    std::uint8_t gone = 0;
    must(portcullis_gate_orphaned(gate_.get(), &gone));
    return gone != 0;
  }

 private:
  friend class Unsent;
  struct Detach {
    void operator()(portcullis_gate* gate) const noexcept { portcullis_gate_detach(gate); }
  };

  std::int32_t must(std::int32_t status) {
    if (status < PORTCULLIS_GATE_OK) throw Error(status, portcullis_gate_last_error(gate_.get()));
    return status;
  }

  std::unique_ptr<portcullis_gate, Detach> gate_;
};

/// A reservation on the way to the venue: given back when this ends before sent() was said, as where something throws. It lives
/// no longer than its gate.
class Unsent {
 public:
  Unsent(Gate& gate, const portcullis_reservation& reservation) noexcept
      : gate_(gate.gate_.get()), reservation_(reservation) {}
  Unsent(const Unsent&) = delete;
  Unsent& operator=(const Unsent&) = delete;
  ~Unsent() {
    std::uint8_t outcome = 0;
    // What fails here fails for ever: the order counts until it is settled.
    if (gate_) portcullis_gate_release(gate_, &reservation_, now_ns(), &outcome);
  }
  /// The venue may have it: its answers settle it from now on.
  void sent() noexcept { gate_ = nullptr; }

 private:
  portcullis_gate* gate_;
  portcullis_reservation reservation_;
};

}  // namespace portcullis

#endif  // PORTCULLIS_GATE_HPP
