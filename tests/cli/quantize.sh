# quantize: sizes, rules, the plan of --dry-run, the same bytes everywhere.
. tests/cli/common.sh
pocket=assets/pocket

# From a checkpoint and from the .qm made of it: the same weights.
expect 0 convert $pocket "$work/f16.qm"
for type in q8 q4; do
    expect 0 quantize --type $type $pocket "$work/$type.qm"
    expect 0 quantize --type $type "$work/f16.qm" "$work/$type-again.qm"
    expect 0 verify --source "$work/$type.qm" "$work/$type-again.qm"
    prints "4 files as recorded, 38 of 38 tensors exact"
done
expect 0 verify "$work/q8.qm" "$work/q4.qm"
prints "q8.qm: ok, 38 tensors, 3.67 M weights, q8, 8.51 bits per weight"
prints "q4.qm: ok, 38 tensors, 3.67 M weights, q4, 5.09 bits per weight"

# Errors against the checkpoint: small for 8 bits, larger for 4.
expect 0 verify --source $pocket "$work/q8.qm"
prints "relative error 0.00"
expect 0 verify --source $pocket "$work/q4.qm"
prints "relative error 0.06"

# The same bytes for any number of threads and any processor.
for type in q8 q4; do
    for option in -j1 -j2 -j7 --cpu=scalar; do
        expect 0 quantize $option --force --type $type $pocket "$work/other.qm"
        same "$work/$type.qm" "$work/other.qm"
    done
done

# The plan names every tensor and what it costs, and writes nothing.
expect 0 quantize --dry-run --type q4 --rule 'ffn_down=q8' $pocket
prints "token_embd.weight                 2048 x 256  f16   q8           557056"
prints "output_norm.weight                       256  f16   f32            1024"
prints "blk.0.attn_q.weight                256 x 256  f16   q4            36864"
prints "blk.3.ffn_down.weight              256 x 768  f16   q8           208896"
prints "38 tensors, 3.67 M weights, 7344640 bytes -> 2728960 bytes, 5.945 bits per weight"
expect 0 quantize --dry-run --type q4 --rule 'ffn_down=q8' $pocket "$work/no.qm"
absent "$work/no.qm"
expect 0 quantize --type q4 --rule 'ffn_down=q8' $pocket "$work/rule.qm"
says "7.3 MB -> 2.7 MB, 5.94 bits per weight"
expect 0 verify "$work/rule.qm"
prints "5.94 bits per weight"

# What it cannot do.
refuses "--type: 'q9' is not a type; known are f32" quantize --type q9 $pocket "$work/no.qm"
refuses "--type is needed" quantize $pocket "$work/no.qm"
refuses "give the output's name behind the input's, or --dry-run" quantize --type q4 $pocket
refuses "--rule 'nothing=q8': matches no tensor" quantize --type q4 --rule nothing=q8 $pocket "$work/no.qm"
refuses "--rule 'norm=q8': tensor 'blk.0.attn_norm.weight' has one dimension" quantize --type q4 --rule norm=q8 $pocket "$work/no.qm"
refuses "--rule 'a(=q8': missing closing parenthesis" quantize --type q4 --rule 'a(=q8' $pocket "$work/no.qm"
refuses "unknown option --rulez; the nearest is --rule" quantize --rulez $pocket "$work/no.qm"
absent "$work/no.qm"
