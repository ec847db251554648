/* A machine that goes wrong under one process, preloaded into it: its system clock is set, and a thread of it gets no time
 * any more. What goes wrong stands in the file that PORTCULLIS_TEST_MACHINE names, which the test writes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct machine {
    volatile int64_t clock_set_by_s;
    /* The name of the thread that stands still; none when empty. */
    volatile char still[16];
};

static struct machine *machine;

static int clock_gettime_as_set(clockid_t clock, struct timespec *time) {
    long failed = syscall(SYS_clock_gettime, clock, time);
    if (!failed && clock == CLOCK_REALTIME) time->tv_sec += machine->clock_set_by_s;
    return (int)failed;
}

/* Makes the kernel's functions in this process writable; the kernel allows it of all of them together. */
static int open_vdso(void) {
    char line[256];
    unsigned long from, to;
    int opened = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        if (!strstr(line, "[vdso]") || sscanf(line, "%lx-%lx", &from, &to) != 2) continue;
        opened = !mprotect((void *)from, to - from, PROT_READ | PROT_WRITE | PROT_EXEC);
    }
    if (maps) fclose(maps);
    return opened;
}

/* The kernel's function for the time, which every reader in the process ends up in, becomes a jump to the one above. */
static void take_over_the_clock(void) {
    void *vdso = dlopen("linux-vdso.so.1", RTLD_NOLOAD | RTLD_LAZY);
    void *reader = vdso ? dlsym(vdso, "__vdso_clock_gettime") : NULL;
    unsigned char jump[12] = {0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xE0}; /* mov rax, imm64; jmp rax */
    int (*target)(clockid_t, struct timespec *) = clock_gettime_as_set;
    memcpy(jump + 2, &target, sizeof target);
    if (reader && open_vdso()) memcpy(reader, jump, sizeof jump);
}

__attribute__((constructor)) static void open_machine(void) {
    const char *path = getenv("PORTCULLIS_TEST_MACHINE");
    int file = path ? open(path, O_RDONLY) : -1;
    void *memory = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *machine, PROT_READ, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) return;
    machine = memory;
    take_over_the_clock();
}

/* Every stage sleeps now and then, and stands still there. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *span, struct timespec *rest) {
    char name[16] = "";
    const struct timespec nap = {0, 1000000};
    if (machine && machine->still[0]) pthread_getname_np(pthread_self(), name, sizeof name);
    while (name[0] && !strncmp(name, (const char *)machine->still, sizeof name)) syscall(SYS_nanosleep, &nap, NULL);
    long failed = syscall(SYS_clock_nanosleep, clock, flags, span, rest);
    return failed ? 4 /* EINTR */ : 0;
}
