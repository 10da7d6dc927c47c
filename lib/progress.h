/* A progress bar on standard error with rate and time left; silent unless that is a terminal and -q is off.
 * Safe to advance from several threads. Drawn at most ten times a second; erased when done. */
#ifndef LIB_PROGRESS_H
#define LIB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* One bar at a time. `title` and `unit` ("B", "tokens", ...) must outlive it; total 0 means unknown. */
void progress_start(const char *title, uint64_t total, const char *unit, bool quiet);
void progress_advance(uint64_t amount);
void progress_done(void); /* harmless where none was started */

/* Seconds on a clock that never goes back. */
double clock_seconds(void);
/* Date and time of day, where we are. */
struct tm clock_local(void);

#endif
