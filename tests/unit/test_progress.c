/* The bar is for people: on a terminal, not when silenced, and gone when the work is done. */
#include "lib/progress.h"

#include <fcntl.h>
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

static void a_terminal_sees_the_bar_and_its_end(void **state) {
    (void)state;
    char text[1000];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        skip();
    int screen = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    work_halfway(screen, false);
    size_t length = read_waiting(terminal, text, sizeof text);
    assert_non_null(strstr(text, "convert [===============               ]  50%  "));
    assert_non_null(strstr(text, " MB/s  0:00 left"));
    assert_string_equal(text + length - 4, "\r\033[K"); /* back to the line's start, and cleared */
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
