/* Whatever a config.json says, reading it ends with a sentence or with a configuration that passes its own
 * checks, comes back from metadata unchanged, and calls for tensors. */
#include "models/family.h"

#include <stdlib.h>
#include <string.h>

static void require(bool good) {
    if (!good)
        abort();
}

static void check_config(const struct model_config *config) {
    struct arena arena = {0};
    struct metadata metadata = {.arena = &arena};
    struct model_config again;
    struct error error;
    size_t count;
    require(config_check(config, "config.json", &error));
    require(config_to_metadata(config, &metadata, &error));
    require(config_from_metadata(&again, &metadata, "config.json", &error));
    require(!strcmp(again.family, config->family));
    again.family = config->family;
    require(!memcmp(&again, config, sizeof again));
    require(config_tensors(config, &count, &arena, &error) && count > 2);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct family *family;
    struct model_config config;
    struct error error = {""};
    memset(&config, 0, sizeof config);
    if (family_read_config("config.json", (const char *)data, size, &family, &config, &error))
        check_config(&config);
    else
        require(strlen(error.text) > 0);
    return 0;
}
