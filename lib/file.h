/* The only door to the file system: reading at offsets, mapping, and writing whole files or none.
 *
 * Every sentence begins with the file's path. Nothing here trusts a size that it did not ask the system for.
 */
#ifndef LIB_FILE_H
#define LIB_FILE_H

#include "lib/memory.h"

/* A regular file open for reading. Safe to read from several threads. */
struct input {
    char *path; /* as the user gave it */
    int fd;
    uint64_t size; /* when it was opened */
    const uint8_t *map; /* set by input_map, else NULL */
};

/* Refuses folders and devices. The path is copied into `arena`. */
bool input_open(struct input *input, const char *path, struct arena *arena, struct error *error);
/* Exactly `size` bytes, or a sentence: a file that became shorter is an error. */
bool input_read(const struct input *input, void *to, size_t size, uint64_t offset, struct error *error);
/* Maps the whole file read-only (NULL map for an empty file), in huge pages where the system can: what it
 * then reads from the disk it keeps in them. */
bool input_map(struct input *input, struct error *error);
void input_close(struct input *input);

/* Reads a whole small file into the arena, with a NUL behind it. Refuses files over `limit` bytes.
 * The path "-" is standard input. */
bool file_read_all(const char *path, uint64_t limit, struct arena *arena, char **data, size_t *size,
                   struct error *error);
bool file_exists(const char *path);
bool file_is_folder(const char *path);
bool file_same(const char *a, const char *b); /* both exist and are the same file, however they are spelled */
/* "folder of path" + "/" + name; and the part of a path behind its last slash. */
char *path_beside(const char *path, const char *name, struct arena *arena, struct error *error);
char *path_join(const char *folder, const char *name, struct arena *arena, struct error *error);
const char *path_base(const char *path);

/* A file that appears whole or not at all: written under an exclusive temporary name in the same folder, then
 * synced, renamed and the folder synced. If the process ends first, by exit, a signal or an error, the
 * temporary file goes and what stood at the path before stays as it was. A file that is replaced keeps its
 * permissions; a symbolic link is replaced itself. */
struct output;

/* Fails at once if something exists at `path` and force is false, and if what exists is no regular file. One
 * owner; released by commit or abandon. */
struct output *output_create(const char *path, bool force, struct error *error);
/* Makes room for a file of `size` bytes at once, so that a full disk shows before the work; writing is faster
 * too. The file may become smaller or larger. */
bool output_reserve(struct output *output, uint64_t size, struct error *error);
/* Threads may write disjoint ranges at once. Unwritten gaps read as zeros. */
bool output_write(struct output *output, const void *from, size_t size, uint64_t offset, struct error *error);
/* Releases it in either case. Should syncing the folder fail, the file stands complete; the sentence says so.
 */
bool output_commit(struct output *output, struct error *error);
void output_abandon(struct output *output); /* NULL is fine */

/* A folder for outputs. One that had to be made goes again with the last of its outputs' temporary files,
 * unless it is kept. `path` must outlive it. */
struct folder {
    const char *path;
    int slot; /* -1: it was there before */
};

/* Fails if the folder exists and force is false. */
bool folder_create(struct folder *folder, const char *path, bool force, struct error *error);
bool folder_keep(struct folder *folder, struct error *error);
void folder_abandon(struct folder *folder); /* a folder that is kept stays */

/* Removes the temporary files of all live outputs and dies by SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE,
 * SIGBUS or SIGXCPU as one would without us; a write beyond the file size limit fails instead of killing.
 * Called once by each program's main. */
void outputs_guard_signals(void);

/* For tests: the n-th read, write, sync or rename from now fails with `error_number`; 0 switches it off. */
void file_fail_at(size_t n, int error_number);

#endif
