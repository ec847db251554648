// One order through the gate, in C++: as order.c, with the class of portcullis_gate.hpp.
//
//   c++ -std=c++17 order.cpp $(pkg-config --cflags --libs portcullis_gate) -o order
//   ./order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID
#include <portcullis_gate.hpp>

#include <cmath>
#include <iostream>
#include <string>

namespace {

int run(char** argv) {
  portcullis::Gate gate(argv[1], argv[2], std::chrono::seconds(5));
  portcullis_order order{};
  order.id = std::stoull(argv[8]);
  order.price = std::llround(std::stod(argv[7]) * 10000) * 100000;  // four decimals, in 1e-9
  order.instrument = gate.instrument(argv[5]);
  order.quantity = static_cast<std::uint32_t>(std::stoul(argv[6]));
  order.strategy = gate.strategy(argv[3]);
  order.account = gate.account(argv[4]);
  order.side = PORTCULLIS_GATE_BUY;
  order.order_type = PORTCULLIS_GATE_LIMIT;
  order.time_in_force = PORTCULLIS_GATE_DAY;

  const auto answer = gate.reserve(order);
  if (!answer.may_be_sent()) {
    for (const auto& breach : gate.explain(order).breaches)
      std::cout << "refused: " << portcullis::text(breach.reason, breach.limit, breach.value) << '\n';
    return 3;
  }
  std::cout << "sent: " << answer.reservation.id << '\n';
  for (const auto& open : gate.open_orders())
    std::cout << "open: " << open.id << " leaves " << open.leaves << '\n';
  portcullis_event event{};
  event.id = event.execution = order.id;
  event.quantity = 1;
  event.kind = PORTCULLIS_GATE_EXECUTED;
  gate.settle(event);
  if (gate.settle(event) != PORTCULLIS_GATE_REPEATED) return 1;
  portcullis_event cancelled{};
  cancelled.id = order.id;
  cancelled.kind = PORTCULLIS_GATE_CANCELLED;
  gate.settle(cancelled);
  const auto held = gate.exposure(order.instrument, order.strategy);
  std::cout << "position: " << held.position << " working: " << held.working_buy << ' ' << held.working_sell
            << " lost: " << gate.lost() << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9 || !portcullis::Gate::fits()) {
    std::cerr << "order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID\n";
    return 1;
  }
  try {
    return run(argv);
  } catch (const std::exception& error) {
    std::cerr << "order: " << error.what() << '\n';
    return 1;
  }
}
