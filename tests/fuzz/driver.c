/* Feeds the files named on the command line to a fuzz target, one by one: what libFuzzer's main would do with
 * them, for any compiler. A folder stands for the files in it. A target that dislikes an input dies. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_replayed;

static _Noreturn void die(const char *path) {
    perror(path);
    exit(2);
}

static void replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1); /* exact, so that AddressSanitizer sees reading beyond it */
    if (!file || !data || fread(data, 1, size, file) != size)
        die(path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_replayed++;
}

static void replay(const char *path);

static void replay_folder(const char *path) {
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        die(path);
    for (int i = 0; i < n; i++) {
        char *name = malloc(strlen(path) + strlen(entries[i]->d_name) + 2);
        if (!name)
            die(path);
        sprintf(name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            replay(name);
        free(name);
        free(entries[i]);
    }
    free(entries);
}

static void replay(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        die(path);
    if (S_ISDIR(status.st_mode))
        replay_folder(path);
    else
        replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%zu inputs replayed\n", n_replayed);
    return n_replayed == 0;
}
