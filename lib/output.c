#include "lib/file_calls.h"
#include "lib/writeback.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- temporary files that must not outlive the process ---- */

/* Paths of the live outputs' temporary files, and of folders made for outputs. Whoever takes a path out of
 * its slot owns it: the output that is done with it, or the signal handler, which then dies with it. */
#define OUTPUTS_MAX 64
static _Atomic(char *) temporaries[OUTPUTS_MAX];

/* Folders go when they are empty. */
static void remove_temporaries(void) {
    char *paths[OUTPUTS_MAX];
    for (int i = 0; i < OUTPUTS_MAX; i++) {
        paths[i] = atomic_exchange(&temporaries[i], NULL);
        if (paths[i])
            unlink(paths[i]);
    }
    for (int i = 0; i < OUTPUTS_MAX; i++)
        if (paths[i])
            rmdir(paths[i]);
}

static int remember_temporary(char *path) {
    for (int i = 0; i < OUTPUTS_MAX; i++) {
        char *expected = NULL;
        if (atomic_compare_exchange_strong(&temporaries[i], &expected, path))
            return i;
    }
    return -1;
}

static void forget_temporary(int slot) {
    memory_free(atomic_exchange(&temporaries[slot], NULL));
}

static void die_cleanly(int signal_number) {
    remove_temporaries();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* A signal that was ignored from the start (nohup) stays so. */
static void guard_signal(int signal_number) {
    struct sigaction old, guard = {.sa_handler = die_cleanly};
    sigfillset(&guard.sa_mask);
    if (sigaction(signal_number, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(signal_number, &guard, NULL);
}

void outputs_guard_signals(void) {
    /* SIGPIPE: our reader left. SIGBUS: a mapped input became shorter. */
    static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGBUS, SIGXCPU};
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        guard_signal(deadly[i]);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit then fails with a sentence */
}

static void remove_temporaries_at_exit(void) {
    static atomic_flag registered = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&registered))
        atexit(remove_temporaries);
}

/* ---- writing ---- */

static ssize_t write_some_at(int fd, const void *from, size_t size, uint64_t offset) {
    ssize_t put;
    do
        put = file_call_fails() ? -1 : pwrite(fd, from, file_transfer(size), (off_t)offset);
    while (put < 0 && errno == EINTR);
    return put;
}

static bool sync_file(int fd) {
    int status;
    do
        status = file_call_fails() ? -1 : fsync(fd);
    while (status < 0 && errno == EINTR);
    return status == 0;
}

struct output {
    char *path;
    char *temporary; /* owned by its slot */
    int slot;
    int fd, folder_fd; /* folder_fd -1: a folder that may be written but not read is not synced */
    bool force;
    uint64_t reserved_bytes;
    struct writeback writeback;
};

static bool may_write_at(const char *path, bool force, struct error *error) {
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT || fail_errno(error, "%s", path);
    if (file_is_folder(path))
        return fail(error, "%s: is a folder", path);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return fail(error, "%s: is not a regular file and can't be replaced", path);
    return force || fail(error, "%s: already exists; --force replaces it", path);
}

static uint64_t mix(uint64_t x) { /* the finalizer of splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* ".NAME.XXXXXXXXXX.tmp" beside `path`; O_EXCL guards against the name being taken. */
static char *temporary_name(const char *path, struct error *error) {
    static atomic_uint_fast64_t counter;
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t random = mix((uint64_t)now.tv_nsec + mix((uint64_t)now.tv_sec + mix((uint64_t)getpid()))) +
                      mix(atomic_fetch_add(&counter, 1) + 1);
    char suffix[11] = "";
    for (int i = 0; i < 10; i++, random /= 36)
        suffix[i] = letters[random % 36];
    struct buffer name = {0}; /* base names are cut so that the longest still has room for the rest */
    if (!buffer_append(&name, path, path_folder_length(path), error) ||
        !buffer_printf(&name, error, ".%.200s.%s.tmp", path_base(path), suffix)) {
        buffer_free(&name);
        return NULL;
    }
    return name.data;
}

/* Remembers the name before the file exists, so that no signal can come in between. */
static bool create_temporary(struct output *output, struct error *error) {
    for (int attempt = 0; attempt < 100; attempt++) {
        output->temporary = temporary_name(output->path, error);
        if (!output->temporary)
            return false;
        output->slot = remember_temporary(output->temporary);
        if (output->slot < 0) {
            memory_free(output->temporary);
            return fail(error, "%s: more than %d files are being written", output->path, OUTPUTS_MAX);
        }
        output->fd = open(output->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (output->fd >= 0)
            return true;
        int number = errno;
        forget_temporary(output->slot);
        errno = number;
        if (number != EEXIST)
            return fail_errno(error, "%s: can't be created", output->path);
    }
    return fail(error, "%s: no free name for a temporary file beside it", output->path);
}

static void keep_mode(const struct output *output) {
    struct stat status;
    if (output->force && stat(output->path, &status) == 0)
        (void)!fchmod(output->fd, status.st_mode & 0777);
}

static int open_folder(const char *path, struct error *error) {
    struct arena arena = {0};
    const char *folder = path_beside(path, ".", &arena, error);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    arena_free(&arena);
    return fd;
}

struct output *output_create(const char *path, bool force, struct error *error) {
    if (!may_write_at(path, force, error))
        return NULL;
    remove_temporaries_at_exit();
    size_t path_size = strlen(path) + 1;
    struct output *output = memory_alloc(sizeof *output + path_size);
    if (!output) {
        fail(error, "%s: out of memory", path);
        return NULL;
    }
    *output = (struct output){.path = (char *)(output + 1), .force = force};
    memcpy(output->path, path, path_size);
    if (!create_temporary(output, error)) {
        memory_free(output);
        return NULL;
    }
    keep_mode(output);
    output->folder_fd = open_folder(path, error);
    writeback_init(&output->writeback, output->fd);
    return output;
}

bool output_reserve(struct output *output, uint64_t size, struct error *error) {
#ifdef FALLOC_FL_KEEP_SIZE
    int status;
    if (size == 0 || size > INT64_MAX)
        return size == 0 ||
               fail(error, "%s: no file can have %llu bytes", output->path, (unsigned long long)size);
    do
        status = file_call_fails() ? -1 : fallocate(output->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    while (status != 0 && errno == EINTR);
    if (status != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return fail_errno(error, "%s: making room for %llu bytes", output->path, (unsigned long long)size);
    output->reserved_bytes = status == 0 ? size : 0;
#else
    (void)output, (void)size, (void)error;
#endif
    return true;
}

bool output_write(struct output *output, const void *from, size_t size, uint64_t offset,
                  struct error *error) {
    uint64_t end;
    if (!add_sizes(offset, size, &end) || end > INT64_MAX)
        return fail(error, "%s: %zu bytes at %llu are beyond any file", output->path, size,
                    (unsigned long long)offset);
    for (uint64_t at = offset; at < end;) {
        ssize_t put = write_some_at(output->fd, (const char *)from + (at - offset), (size_t)(end - at), at);
        if (put <= 0)
            return fail_errno(error, "%s: writing %zu bytes at %llu", output->path, size,
                              (unsigned long long)offset);
        at += (uint64_t)put;
    }
    writeback_note(&output->writeback, size);
    return true;
}

/* A link can't replace what someone else created meanwhile; where the file system has none, look and rename.
 */
static bool appear(const struct output *output, struct error *error) {
    if (file_call_fails())
        return fail_errno(error, "%s: can't be renamed into place", output->path);
    if (!output->force) {
        if (link(output->temporary, output->path) == 0) {
            unlink(output->temporary);
            return true;
        }
        if (errno == EEXIST)
            return fail(error, "%s: was created by someone else meanwhile; --force replaces it",
                        output->path);
        if (!may_write_at(output->path, false, error))
            return false;
    }
    return rename(output->temporary, output->path) == 0 ||
           fail_errno(error, "%s: can't be renamed into place", output->path);
}

static bool sync_folder(const struct output *output, struct error *error) {
    return output->folder_fd < 0 || sync_file(output->folder_fd) || errno == EINVAL || errno == ENOTSUP ||
           fail_errno(error, "%s: is complete, but its folder can't be synced", output->path);
}

/* What was reserved and not used lies behind the end, where setting the size again frees it. */
static bool release_reserve(const struct output *output) {
    struct stat status;
    return output->reserved_bytes == 0 ||
           (fstat(output->fd, &status) == 0 && ((uint64_t)status.st_size >= output->reserved_bytes ||
                                                ftruncate(output->fd, status.st_size) == 0));
}

static bool finish_file(struct output *output, struct error *error) {
    return (release_reserve(output) && sync_file(output->fd)) ||
           fail_errno(error, "%s: can't be written to disk", output->path);
}

/* Errors of a network file system may come as late as here. */
static bool close_file(struct output *output, struct error *error) {
    writeback_end(&output->writeback);
    int status = close(output->fd);
    output->fd = -1;
    return status == 0 || errno == EINTR || fail_errno(error, "%s: can't be written to disk", output->path);
}

bool output_commit(struct output *output, struct error *error) {
    bool committed = finish_file(output, error) && close_file(output, error) && appear(output, error);
    if (committed) {
        forget_temporary(output->slot);
        output->slot = -1;
        committed = sync_folder(output, error);
    }
    output_abandon(output);
    return committed;
}

void output_abandon(struct output *output) {
    struct error ignored;
    if (!output)
        return;
    if (output->fd >= 0)
        close_file(output, &ignored);
    if (output->folder_fd >= 0)
        close(output->folder_fd);
    if (output->slot >= 0) {
        unlink(output->temporary);
        forget_temporary(output->slot);
    }
    memory_free(output);
}

/* ---- folders ---- */

static bool make_folder(struct folder *folder, const char *path, struct error *error) {
    struct buffer copy = {0};
    if (!buffer_append(&copy, path, strlen(path), error))
        return false;
    folder->slot = remember_temporary(copy.data);
    if (folder->slot < 0) {
        buffer_free(&copy);
        return fail(error, "%s: more than %d files are being written", path, OUTPUTS_MAX);
    }
    if (!file_call_fails() && mkdir(path, 0777) == 0)
        return true;
    fail_errno(error, "%s: can't be created", path);
    forget_temporary(folder->slot);
    folder->slot = -1;
    return false;
}

bool folder_create(struct folder *folder, const char *path, bool force, struct error *error) {
    *folder = (struct folder){.path = path, .slot = -1};
    if (file_is_folder(path))
        return force || fail(error, "%s: already exists; --force replaces files in it", path);
    remove_temporaries_at_exit();
    return make_folder(folder, path, error);
}

bool folder_keep(struct folder *folder, struct error *error) {
    int fd = open_folder(folder->path, error);
    bool good =
        fd < 0 || sync_file(fd) || errno == EINVAL || errno == ENOTSUP ||
        fail_errno(error, "%s: is complete, but the folder that it is in can't be synced", folder->path);
    if (fd >= 0)
        close(fd);
    if (folder->slot >= 0)
        forget_temporary(folder->slot);
    folder->slot = -1;
    return good;
}

void folder_abandon(struct folder *folder) {
    if (folder->slot < 0)
        return;
    rmdir(folder->path);
    forget_temporary(folder->slot);
    folder->slot = -1;
}
