/* Files carried inside the programs, as assets.h declares them. ELF and Mach-O (whose C names begin with '_'). */
#ifdef __APPLE__
#define SYMBOL(name) _##name
.section __TEXT,__const
#else
#define SYMBOL(name) name
.section .rodata
#endif

.globl SYMBOL(asset_evaluation_text)
.globl SYMBOL(asset_evaluation_text_end)
.balign 64
SYMBOL(asset_evaluation_text):
.incbin "assets/pocket/evaluation.txt"
SYMBOL(asset_evaluation_text_end):
.byte 0

.globl SYMBOL(asset_devices)
.globl SYMBOL(asset_devices_end)
.balign 64
SYMBOL(asset_devices):
.incbin "assets/devices.tsv"
SYMBOL(asset_devices_end):
.byte 0

#ifdef __linux__
.section .note.GNU-stack, "", %progbits
#endif
