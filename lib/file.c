#include "lib/file.h"

#include "lib/fault.h"
#include "lib/file_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- system calls, as everything below makes them ---- */

static atomic_size_t fault_countdown;
static atomic_int fault_number;

void file_fail_at(size_t n, int error_number) {
    atomic_store(&fault_number, error_number);
    atomic_store(&fault_countdown, n);
}

bool file_call_fails(void) {
    if (!fault_strikes(&fault_countdown))
        return false;
    errno = atomic_load(&fault_number);
    return true;
}

static ssize_t read_some(int fd, void *to, size_t size) {
    ssize_t got;
    do
        got = file_call_fails() ? -1 : read(fd, to, file_transfer(size));
    while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t read_some_at(int fd, void *to, size_t size, uint64_t offset) {
    ssize_t got;
    do
        got = file_call_fails() ? -1 : pread(fd, to, file_transfer(size), (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

/* ---- paths ---- */

bool file_exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_same(const char *a, const char *b) {
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

const char *path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_beside(const char *path, const char *name, struct arena *arena, struct error *error) {
    int length = (int)(path_folder_length(path) < INT_MAX ? path_folder_length(path) : INT_MAX);
    return arena_printf(arena, error, "%.*s%s", length, path, name);
}

char *path_join(const char *folder, const char *name, struct arena *arena, struct error *error) {
    size_t length = strlen(folder);
    bool separate = length > 0 && folder[length - 1] != '/';
    return arena_printf(arena, error, "%s%s%s", folder, separate ? "/" : "", name);
}

/* ---- reading ---- */

/* O_NONBLOCK, because opening a pipe that nobody writes would wait for ever; regular files ignore it. */
static int open_regular(const char *path, uint64_t *size, struct error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0) {
        fail_errno(error, "%s", path);
        return -1;
    }
    if (fstat(fd, &status) != 0)
        fail_errno(error, "%s", path);
    else if (S_ISDIR(status.st_mode))
        fail(error, "%s: is a folder, not a file", path);
    else if (!S_ISREG(status.st_mode))
        fail(error, "%s: is not a regular file", path);
    else {
        *size = (uint64_t)status.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

bool input_open(struct input *input, const char *path, struct arena *arena, struct error *error) {
    *input = (struct input){.fd = -1};
    input->path = arena_text(arena, path, strlen(path), error);
    if (!input->path)
        return false;
    input->fd = open_regular(path, &input->size, error);
    return input->fd >= 0;
}

bool input_read(const struct input *input, void *to, size_t size, uint64_t offset, struct error *error) {
    uint64_t end;
    if (!add_sizes(offset, size, &end) || end > INT64_MAX)
        return fail(error, "%s: %zu bytes at %llu are beyond any file", input->path, size,
                    (unsigned long long)offset);
    for (uint64_t at = offset; at < end;) {
        ssize_t got = read_some_at(input->fd, (char *)to + (at - offset), (size_t)(end - at), at);
        if (got < 0)
            return fail_errno(error, "%s: reading %zu bytes at %llu", input->path, size,
                              (unsigned long long)offset);
        if (got == 0)
            return fail(error, "%s: ends at %llu, but %zu bytes at %llu are needed", input->path,
                        (unsigned long long)at, size, (unsigned long long)offset);
        at += (uint64_t)got;
    }
    return true;
}

bool input_map(struct input *input, struct error *error) {
    if (input->map || input->size == 0)
        return true;
    if (input->size > SIZE_MAX)
        return fail(error, "%s: %llu bytes are too many to map", input->path,
                    (unsigned long long)input->size);
    void *map =
        file_call_fails() ? MAP_FAILED : mmap(NULL, (size_t)input->size, PROT_READ, MAP_SHARED, input->fd, 0);
    if (map == MAP_FAILED)
        return fail_errno(error, "%s: mapping %llu bytes", input->path, (unsigned long long)input->size);
#ifdef MADV_HUGEPAGE
    madvise(map, (size_t)input->size, MADV_HUGEPAGE);
#endif
    input->map = map;
    return true;
}

void input_close(struct input *input) {
    if (input->map)
        munmap((void *)(uintptr_t)input->map, (size_t)input->size);
    if (input->fd >= 0)
        close(input->fd);
    input->map = NULL;
    input->fd = -1;
}

static bool is_standard_input(const char *path) {
    return strcmp(path, "-") == 0;
}

static int open_any(const char *path, struct error *error) {
    if (is_standard_input(path))
        return STDIN_FILENO;
    if (file_is_folder(path)) {
        fail(error, "%s: is a folder, not a file", path);
        return -1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_errno(error, "%s", path);
    return fd;
}

/* Until the end, or until one byte more than `limit` is there. */
static bool read_to_end(int fd, const char *name, uint64_t limit, struct buffer *to, struct error *error) {
    enum { STEP = 1 << 16 };
    while (to->size <= limit) {
        char *end = buffer_reserve(to, STEP, error);
        if (!end)
            return false;
        ssize_t got = read_some(fd, end, STEP);
        if (got < 0)
            return fail_errno(error, "%s: reading at %zu", name, to->size);
        if (got == 0)
            return true;
        to->size += (size_t)got;
    }
    return fail(error, "%s: is larger than %llu bytes", name, (unsigned long long)limit);
}

bool file_read_all(const char *path, uint64_t limit, struct arena *arena, char **data, size_t *size,
                   struct error *error) {
    const char *name = is_standard_input(path) ? "standard input" : path;
    struct buffer content = {0};
    int fd = open_any(path, error);
    if (fd < 0)
        return false;
    bool complete = read_to_end(fd, name, limit, &content, error);
    if (fd != STDIN_FILENO)
        close(fd);
    if (complete) {
        *size = content.size;
        *data = arena_text(arena, content.data, content.size, error);
        complete = *data != NULL;
    }
    buffer_free(&content);
    return complete;
}
