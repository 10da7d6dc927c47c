# For tests that make checkpoints out of the pocket model's: its header as text, its data, and files of both.

# le64 NUMBER: eight bytes, the lowest first.
le64() {
    local i
    for ((i = 0; i < 8; i++)); do
        printf "\\x$(printf %02x $(($1 >> 8 * i & 255)))"
    done
}

header_size() {
    od -An -t u8 -N 8 "$1" | tr -d ' '
}

# safetensors_header FILE, safetensors_data FILE
safetensors_header() {
    tail -c +9 "$1" | head -c "$(header_size "$1")"
}

safetensors_data() {
    tail -c +$((9 + $(header_size "$1"))) "$1"
}

# safetensors_write FILE HEADER DATA_FILE
safetensors_write() {
    LC_ALL=C
    { le64 ${#2}; printf %s "$2"; cat "$3"; } > "$1"
}
