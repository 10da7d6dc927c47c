/* What the programs carry with them: the evaluation text of the pocket model (assets/pocket/README.md), and
 * what known devices can do (evaluate/devices.h). */
#ifndef ASSETS_ASSETS_H
#define ASSETS_ASSETS_H

extern const char asset_evaluation_text[]; /* UTF-8, not NUL-terminated */
extern const char asset_evaluation_text_end[];

extern const char asset_devices[]; /* UTF-8, not NUL-terminated */
extern const char asset_devices_end[];

#endif
