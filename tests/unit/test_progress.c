/* The bar is for people: on a terminal, not when silenced, and gone when the work is done. */
#include "lib/progress.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void pass_a_moment(void) { /* longer than the bar waits between drawings */
    struct timespec moment = {.tv_nsec = 150000000};
    nanosleep(&moment, NULL);
}

/* Half of some work with standard error going to `to`. */
static void work_halfway(int to, bool quiet) {
    int before = dup(STDERR_FILENO);
    dup2(to, STDERR_FILENO);
    progress_start("convert", 2000000, "B", quiet);
    pass_a_moment();
    progress_advance(1000000);
    progress_done();
    dup2(before, STDERR_FILENO);
    close(before);
}

/* What arrives at the reading end, which may be nothing. */
static size_t read_waiting(int from, char *text, size_t size) {
    fcntl(from, F_SETFL, O_NONBLOCK);
    ssize_t got = read(from, text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    return strlen(text);
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

/* What a terminal shows, up to `end`: the system hands it on piece by piece, in its own time. */
static void read_until(int terminal, const char *end, char *text, size_t size) {
    struct pollfd ready = {.fd = terminal, .events = POLLIN};
    size_t length = 0;
    text[0] = '\0';
    while (!ends_with(text, end) && poll(&ready, 1, 60000) == 1)
        length += read_waiting(terminal, text + length, size - length);
}

static void a_terminal_sees_the_bar_and_its_end(void **state) {
    (void)state;
    char text[1000];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        skip();
    int screen = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    work_halfway(screen, false);
    const char *cleared = " left\r\033[K"; /* back to the line's start, which is wiped */
    read_until(terminal, cleared, text, sizeof text);
    assert_true(ends_with(text, cleared));
    assert_non_null(strstr(text, "convert [===============               ]  50%  "));
    assert_non_null(strstr(text, "B/s  0:"));
    work_halfway(screen, true);
    assert_int_equal(read_waiting(terminal, text, sizeof text), 0);
    close(screen);
    close(terminal);
}

static void a_pipe_sees_nothing(void **state) {
    (void)state;
    char text[1000];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    work_halfway(ends[1], false);
    assert_int_equal(read_waiting(ends[0], text, sizeof text), 0);
    close(ends[0]);
    close(ends[1]);
}

static void the_clock_goes_forward(void **state) {
    (void)state;
    double start = clock_seconds();
    pass_a_moment();
    assert_true(clock_seconds() > start);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_sees_the_bar_and_its_end),
        cmocka_unit_test(a_pipe_sees_nothing),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
