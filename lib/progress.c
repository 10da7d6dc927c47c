#include "lib/progress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1

static struct {
    const char *title, *unit;
    uint64_t total;
    double started;
    atomic_uint_fast64_t done;
    atomic_bool active;
    atomic_flag drawing;
    double drawn; /* when; belongs to whoever holds `drawing` */
} bar = {.drawing = ATOMIC_FLAG_INIT};

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct tm clock_local(void) {
    struct tm local = {0};
    time_t now = time(NULL);
    localtime_r(&now, &local);
    return local;
}

void progress_start(const char *title, uint64_t total, const char *unit, bool quiet) {
    if (quiet || !isatty(STDERR_FILENO))
        return;
    bar.title = title;
    bar.unit = unit;
    bar.total = total;
    bar.started = bar.drawn = clock_seconds();
    atomic_store(&bar.done, 0);
    atomic_store(&bar.active, true);
}

/* "12.3 MB": three digits and a power of 1000. */
static const char *scaled(double amount, char text[static 16]) {
    static const char prefixes[] = " kMGTPE";
    int power = 0;
    for (; amount >= 999.5 && prefixes[power + 1]; power++)
        amount /= 1000;
    int decimals = power == 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
    snprintf(text, 16, power ? "%.*f %c" : "%.*f ", decimals, amount, prefixes[power]);
    return text;
}

static const char *clocked(double seconds, char text[static 16]) {
    unsigned whole = seconds < 359999 ? (unsigned)(seconds + 0.5) : 359999;
    if (whole < 3600)
        snprintf(text, 16, "%u:%02u", whole / 60, whole % 60);
    else
        snprintf(text, 16, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
    return text;
}

/* "quantize [=========>          ]  47%  1.23 GB/s  0:03 left", rewritten in place. */
static void draw(double now) {
    enum { WIDTH = 30 };
    uint64_t done = atomic_load(&bar.done);
    double elapsed = now - bar.started, rate = elapsed > 0 ? (double)done / elapsed : 0;
    char line[160], number[16], left[16];
    size_t length = (size_t)snprintf(line, sizeof line, "\r\033[K%.40s ", bar.title);
    if (bar.total > 0) {
        double share = done < bar.total ? (double)done / (double)bar.total : 1;
        int filled = (int)(share * WIDTH);
        length += (size_t)snprintf(line + length, sizeof line - length, "[%.*s%*s] %3d%%  ", filled,
                                   "==============================", WIDTH - filled, "", (int)(share * 100));
    }
    length +=
        (size_t)snprintf(line + length, sizeof line - length, "%s%.12s/s", scaled(rate, number), bar.unit);
    if (bar.total > done && rate > 0)
        snprintf(line + length, sizeof line - length, "  %s left",
                 clocked((double)(bar.total - done) / rate, left));
    fputs(line, stderr);
    fflush(stderr);
}

void progress_advance(uint64_t amount) {
    if (!atomic_load_explicit(&bar.active, memory_order_relaxed))
        return;
    atomic_fetch_add(&bar.done, amount);
    if (atomic_flag_test_and_set(&bar.drawing))
        return;
    double now = clock_seconds();
    if (now - bar.drawn >= REDRAW_SECONDS) {
        draw(now);
        bar.drawn = now;
    }
    atomic_flag_clear(&bar.drawing);
}

void progress_done(void) {
    if (!atomic_exchange(&bar.active, false))
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
