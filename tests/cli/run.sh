# run: a prompt and what follows, token ids, conversations, and what it says when it can't.
. tests/cli/common.sh
pocket=$work/pocket.qm
expect 0 convert -q assets/pocket "$pocket"

# The text goes to standard output, prompt first, whole; speed to standard error; -q leaves out prompt and remarks.
expect 0 run "$pocket" -p "In the beginning" -n 20 --temp 0
grep -q "^In the beginning" "$work/stdout" || die "the prompt is not there"
says "prompt: 5 tokens"
says "generation: 19 tokens"
sed '1s/^In the beginning//' "$work/stdout" > "$work/continuation"
expect 0 run "$pocket" -p "In the beginning" -n 20 --temp 0 -q
same "$work/stdout" "$work/continuation"
[ ! -s "$work/stderr" ] || die "-q says something: $(cat "$work/stderr")"
expect 0 run "$pocket" -p "In the beginning" -n 0
[ "$(cat "$work/stdout")" = "In the beginning" ] || die "-n 0 writes on"

# The same for any number of threads, and with the prompt from standard input, whose last newline doesn't count.
for option in -j1 -j2 -j3; do
    expect 0 run "$pocket" -p "In the beginning" -n 20 --temp 0 -q $option
    same "$work/stdout" "$work/continuation"
done
for prompt in "In the beginning" $'In the beginning\n' $'In the beginning\r\n'; do
    expect 0 run "$pocket" -n 20 --temp 0 -q <<< "${prompt%$'\n'}"
    same "$work/stdout" "$work/continuation"
done

# A seed repeats, another gives another text, and without one each run has its own, which it says.
expect 0 run "$pocket" -p "Behold" -n 30 --seed 5
says "seed: 5"
cp "$work/stdout" "$work/five"
expect 0 run "$pocket" -p "Behold" -n 30 --seed 5
same "$work/stdout" "$work/five"
expect 0 run "$pocket" -p "Behold" -n 30 --seed 6
cmp -s "$work/stdout" "$work/five" && die "two seeds give one text"
# What leaves one choice is greedy.
expect 0 run "$pocket" -p "In the beginning" -n 20 -q --top-k 1
same "$work/stdout" "$work/continuation"
expect 0 run "$pocket" -p "In the beginning" -n 20 -q --min-p 1 --temp 3
same "$work/stdout" "$work/continuation"
expect 0 run "$pocket" -p "In the beginning" -n 20 -q --temp 0 --repeat-penalty 1.5
cmp -s "$work/stdout" "$work/continuation" && die "the repetition penalty does nothing"

# Wild sampling makes broken characters; what comes out is well-formed all the same.
if command -v iconv > /dev/null; then
    expect 0 run "$pocket" -p "é" -n 300 --temp 100 --top-k 0 --top-p 1 --min-p 0 --seed 1
    iconv -f UTF-8 -t UTF-8 "$work/stdout" > "$work/iconv" || die "the output is not UTF-8"
    same "$work/stdout" "$work/iconv"
fi

# An empty prompt begins with the model's own first token.
expect 0 run "$pocket" -p "" -n 5 --temp 0
says "prompt: 1 tokens"

# The context: room is made for what is asked, a longer prompt is refused, and a full one ends the text.
expect 0 run "$pocket" -p "In the beginning" --ctx 8 -n 100 --temp 0
says "stopped: the context of 8 tokens is full"
refuses "pocket.qm: the prompt is 5 tokens, the context is 4" run "$pocket" -p "In the beginning" --ctx 4
printf 'word %.0s' {1..3000} > "$work/long"
refuses ", the context is 1024" run "$pocket" < "$work/long"
refuses "--ctx 1025: the model's context is 1024" run "$pocket" -p x --ctx 1025
refuses "--ctx 0" run "$pocket" -p x --ctx 0

# Token ids: special tokens count, nothing is added, bytes are taken as they are.
ids() {
    printf "$1" | "$BIN/run" "$pocket" --tokenize > "$work/ids" || die "--tokenize fails"
    [ "$(cat "$work/ids")" = "$2" ] || die "ids of '$1': $(cat "$work/ids")"
}
ids "" ""
ids "<|endoftext|>" "0"
ids "a<|endoftext|>" "65 0"
ids "a\n" "65 199"
ids "\377" "$(printf '\357\277\275' | "$BIN/run" "$pocket" --tokenize)"
expect 0 run "$pocket" --tokenize < /dev/null
[ "$(wc -c < "$work/stdout")" -eq 1 ] || die "no text has ids"

# Conversations: each line is answered until /exit or the end; the template is the model's.
refuses "the model has no chat template" run "$pocket" --chat
mkdir "$work/chatty"
cp assets/pocket/{config.json,tokenizer.json,model.safetensors} "$work/chatty"
chatty() {
    printf '{"chat_template":"%s","eos_token":"<|endoftext|>"}' "$1" > "$work/chatty/tokenizer_config.json"
    expect 0 convert -q --force "$work/chatty" "$work/chatty.qm"
}
template="{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}assistant:"
chatty "$template"
printf 'one\n\ntwo\n/exit\nthree\n' > "$work/lines"
expect 0 run "$work/chatty.qm" --chat -n 8 --temp 0 < "$work/lines"
says "generation: 14 tokens"
expect 0 run "$work/chatty.qm" --chat -n 8 --temp 0 -p "one" --system "Be brief." < /dev/null
says "generation: 7 tokens"
expect 2 run "$work/chatty.qm" --chat --ctx 64 -n 40 --temp 0 < "$work/lines"
says "the context is 64; end it here, or allow it more with --ctx (the model's limit is 1024)"

# What is typed is text, whatever it spells; what the template writes may be a token. (One token a letter here.)
prompt_tokens() {
    expect 0 run "$work/chatty.qm" --chat -n 1 -p "$1" < /dev/null
    sed -n 's/^prompt: \([0-9]*\) tokens.*/\1/p' "$work/stderr"
}
chatty "{{ eos_token }}"
[ "$(prompt_tokens "x")" -eq 1 ] || die "a token that the template writes is not one"
chatty "{{ messages[0].content }}"
[ "$(prompt_tokens "<|endoftext|>")" -gt 1 ] || die "what is typed becomes a token"

# A template that can't be run, or that refuses the conversation, says so.
chatty "{% if x %}{% include 'y' %}{% endif %}"
refuses "chatty.qm: chat template: line 1, column 14: expected a tag that is supported, found 'include'" run "$work/chatty.qm" --chat
chatty "{{ raise_exception('No system message') if messages[0].role == 'system' }}x"
refuses "the template says: No system message" run "$work/chatty.qm" --chat --system S -p x
chatty "{{ '' }}"
refuses "chatty.qm: the chat template makes nothing of the conversation" run "$work/chatty.qm" --chat -p x

# An interrupt ends the answer, not the conversation; at the prompt it ends that.
chatty "$template"
wait_until() {
    for _ in {1..200}; do
        "$@" && return
        sleep 0.05
    done
    die "waited in vain: $*"
}
mkfifo "$work/typed"
"$BIN/run" "$work/chatty.qm" --chat --cpu scalar -j1 --temp 0 < "$work/typed" > "$work/answers" 2> "$work/stderr" &
talking=$!
exec 3> "$work/typed"
echo one >&3
wait_until [ -s "$work/answers" ]
kill -INT $talking
echo /exit >&3
wait $talking || die "an interrupted answer ends the conversation: $(cat "$work/stderr")"
exec 3>&-

# What is not a model, and what makes no sense.
refuses "nosuch.qm" run nosuch.qm -p x
refuses "nosuch.qm" run nosuch.qm --tokenize
refuses "assets/pocket: not a .qm file; convert makes one" run assets/pocket -p x
refuses "model.safetensors: not a .qm file; convert makes one" run assets/pocket/model.safetensors --tokenize
head -c 100000 "$pocket" > "$work/cut.qm"
refuses "cut.qm" run "$work/cut.qm" -p x
refuses "the temperature is -1" run "$pocket" -p x --temp -1
refuses "top-p is 2" run "$pocket" -p x --top-p 2
refuses "min-p is 2" run "$pocket" -p x --min-p 2
refuses "the repetition penalty is 0" run "$pocket" -p x --repeat-penalty 0
refuses "--system is for --chat" run "$pocket" -p x --system S
refuses "--tokenize reads standard input alone" run "$pocket" -p x --tokenize
refuses "" run

# A reader that goes away ends it in peace; a full disk is a failure.
"$BIN/run" "$pocket" -p "In the beginning" -n 500 --seed 1 2> "$work/stderr" | head -c 1 > /dev/null
grep -q "run:" "$work/stderr" && die "a closed pipe is complained of: $(cat "$work/stderr")"
if [ -c /dev/full ]; then
    "$BIN/run" "$pocket" -p x -n 5 > /dev/full 2> "$work/stderr"
    [ $? -eq 2 ] || die "a full disk goes unnoticed"
    says "standard output"
    echo x | "$BIN/run" "$pocket" --tokenize > /dev/full 2> "$work/stderr"
    [ $? -eq 2 ] || die "a full disk goes unnoticed by --tokenize"
fi
exit 0
