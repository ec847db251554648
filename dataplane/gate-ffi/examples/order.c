/* One order through the gate, in C: attaches, reserves, settles what the venue would say, and prints.
 *
 *   cc order.c $(pkg-config --cflags --libs portcullis_gate) -o order
 *   ./order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID
 *
 * Exit: 0 sent, 1 the appliance or an argument is not there, 3 the gate refused the order. */
#include <inttypes.h>
#include <portcullis_gate.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BREACHES = 8, OPEN_ORDERS = 64 };

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Ends the program when a call did nothing. */
static void must(portcullis_gate *gate, int32_t status) {
  if (status >= PORTCULLIS_GATE_OK) return;
  fprintf(stderr, "order: %s\n", portcullis_gate_last_error(gate));
  portcullis_gate_detach(gate);
  exit(1);
}

/* Everything that is wrong with an order. */
static void print_breaches(portcullis_gate *gate, const portcullis_order *order) {
  portcullis_verdict verdict;
  portcullis_breach breaches[BREACHES];
  size_t count = 0;
  must(gate, portcullis_gate_explain(gate, order, now_ns(), &verdict, breaches, BREACHES, &count));
  for (size_t i = 0; i < count && i < BREACHES; i++) {
    char text[256];
    portcullis_gate_reason_text(breaches[i].reason, breaches[i].limit, breaches[i].value, text, sizeof text);
    printf("refused: %s\n", text);
  }
}

static void print_open_orders(portcullis_gate *gate) {
  portcullis_open_order open[OPEN_ORDERS];
  size_t count = 0;
  must(gate, portcullis_gate_open_orders(gate, open, OPEN_ORDERS, &count));
  for (size_t i = 0; i < count && i < OPEN_ORDERS; i++)
    printf("open: %" PRIu64 " leaves %" PRIu32 "\n", open[i].id, open[i].leaves);
}

static void settle(portcullis_gate *gate, portcullis_event event) {
  uint8_t settled = 0;
  must(gate, portcullis_gate_settle(gate, &event, now_ns(), &settled));
}

int main(int argc, char **argv) {
  if (argc != 9) {
    fprintf(stderr, "order SOCKET CLIENT STRATEGY ACCOUNT SYMBOL QUANTITY PRICE ID\n");
    return 1;
  }
  char error[256] = "";
  portcullis_gate *gate = NULL;
  if (portcullis_gate_attach(PORTCULLIS_GATE_ABI_VERSION, argv[1], argv[2], 5000, &gate, error, sizeof error)) {
    fprintf(stderr, "order: %s\n", error);
    return 1;
  }
  portcullis_order order = {0};
  order.id = strtoull(argv[8], NULL, 10);
  order.price = (int64_t)(strtod(argv[7], NULL) * 10000 + 0.5) * 100000; /* four decimals, in 1e-9 */
  order.quantity = (uint32_t)strtoul(argv[6], NULL, 10);
  order.side = PORTCULLIS_GATE_BUY;
  order.order_type = PORTCULLIS_GATE_LIMIT;
  order.time_in_force = PORTCULLIS_GATE_DAY;
  must(gate, portcullis_gate_instrument(gate, argv[5], &order.instrument));
  must(gate, portcullis_gate_strategy(gate, argv[3], &order.strategy));
  must(gate, portcullis_gate_account(gate, argv[4], &order.account));

  portcullis_verdict verdict;
  portcullis_reservation reservation;
  int32_t status = portcullis_gate_reserve(gate, &order, now_ns(), &verdict, &reservation);
  must(gate, status);
  if (status == PORTCULLIS_GATE_REFUSED) {
    print_breaches(gate, &order);
    portcullis_gate_detach(gate);
    return 3;
  }
  printf("sent: %" PRIu64 "\n", reservation.id);
  /* Here it would go to the venue; one that cannot be sent is given back with portcullis_gate_release. The venue trades one
   * share, tells it twice, and cancels the rest. */
  print_open_orders(gate);
  portcullis_event trade = {.id = order.id, .execution = order.id, .quantity = 1, .kind = PORTCULLIS_GATE_EXECUTED};
  settle(gate, trade);
  settle(gate, trade);
  settle(gate, (portcullis_event){.id = order.id, .kind = PORTCULLIS_GATE_CANCELLED});

  portcullis_exposure held;
  uint64_t lost = 0;
  must(gate, portcullis_gate_exposure(gate, order.instrument, order.strategy, &held));
  must(gate, portcullis_gate_lost(gate, &lost));
  printf("position: %" PRId64 " working: %" PRIu64 " %" PRIu64 " lost: %" PRIu64 "\n", held.position, held.working_buy,
         held.working_sell, lost);
  portcullis_gate_detach(gate);
  return 0;
}
