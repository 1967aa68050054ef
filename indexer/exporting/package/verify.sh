#!/bin/sh
# Checks this package with sh, coreutils and openssl alone. Nothing is changed, no network is used.
#
#   sh verify/verify.sh [FINGERPRINT [FOLDER]]
#
# FINGERPRINT: of the signing key, as the bureau told it by another way (64 hex digits). Without it the script shows
# that nothing was changed since the signature, but not whose signature it is ("" stands for none).
# FOLDER: the package; without it, the one this file lies in. A copy of this file that you had before is the safest.
# 用法：sh verify/verify.sh [公钥指纹 [导出包文件夹]]。指纹须另行取得；不给指纹只能证明签名后未改动，不能证明是谁的签名。
set -u
LC_ALL=C
export LC_ALL
unset CDPATH
here=${0%/*}
[ "$here" = "$0" ] && here=.
cd "${2:-$here/..}" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
faults=0
key=verify/keys/log.pem
alphabet=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/

good() { printf 'ok    %s\n' "$1"; }
bad() { faults=$((faults + 1)); printf 'FAULT %s\n' "$1"; }

# Every file below $1; what is no plain file is printed under a name that no list can hold.
walk() {
  for entry in "$1"* "$1".[!.]* "$1"..?*; do
    if [ -L "$entry" ]; then printf '%s (link)\n' "$entry"
    elif [ -d "$entry" ]; then
      if [ -z "$(ls -A "$entry")" ]; then printf '%s (empty folder)\n' "$entry"; else walk "$entry/"; fi
    elif [ -f "$entry" ]; then printf '%s\n' "$entry"
    elif [ -e "$entry" ]; then printf '%s (no file)\n' "$entry"
    fi
  done
}

# Sets octal to the bytes that the hex digits $1 stand for, as printf writes them.
octal_of_hex() {
  octal=
  rest=$1
  while [ -n "$rest" ]; do
    tail=${rest#??}
    byte=$((0x${rest%"$tail"}))
    rest=$tail
    octal="$octal\\$((byte / 64))$((byte / 8 % 8))$((byte % 8))"
  done
}

# Sets octal to the 32 bytes of a hash in base64 (44 characters); 1 where it is none.
octal_of_base64() {
  octal=
  rest=$1
  [ ${#rest} -eq 44 ] || return 1
  case $rest in *[!A-Za-z0-9+/=]* | *=?*) return 1 ;; esac
  bits=0
  held=0
  while [ "$rest" != = ]; do
    tail=${rest#?}
    before=${alphabet%%"${rest%"$tail"}"*}
    rest=$tail
    bits=$((bits * 64 + ${#before}))
    held=$((held + 6))
    if [ $held -ge 8 ]; then
      held=$((held - 8))
      byte=$((bits >> held))
      bits=$((bits - (byte << held)))
      octal="$octal\\$((byte / 64))$((byte / 8 % 8))$((byte % 8))"
    fi
  done
  [ $bits -eq 0 ]
}

# Sets hash to the SHA-256, in hex, of the byte 1 and two hashes given in octal.
hash_node() {
  hash=$(printf "\\001$1$2" | sha256sum)
  hash=${hash%% *}
}

# Whether line leads by the proof in file $1 to the root of the checkpoint (RFC 9162, 2.1.3.2). Sets index.
is_proved() {
  hash=$({ printf '\000'; printf '%s' "$line"; } | sha256sum)
  hash=${hash%% *}
  state=head
  index=
  count=0
  while IFS= read -r text; do
    count=$((count + 1))
    case $state in
      head)
        [ "$text" = "c2sp.org/tlog-proof@v1" ] || return 1
        state=index
        ;;
      index)
        index=${text#index }
        case $index in '' | *[!0-9]* | 0?*) return 1 ;; esac
        [ "$text" = "index $index" ] && [ "$index" -lt "$size" ] || return 1
        place=$index
        last=$((size - 1))
        state=path
        ;;
      path)
        if [ -z "$text" ]; then
          state=note
          break
        fi
        [ "$last" -ne 0 ] || return 1
        octal_of_base64 "$text" || return 1
        step=$octal
        octal_of_hex "$hash"
        if [ $((place % 2)) -eq 1 ] || [ "$place" -eq "$last" ]; then
          hash_node "$step" "$octal"
          while [ $((place % 2)) -eq 0 ] && [ "$place" -ne 0 ]; do
            place=$((place / 2))
            last=$((last / 2))
          done
        else
          hash_node "$octal" "$step"
        fi
        place=$((place / 2))
        last=$((last / 2))
        ;;
    esac
  done <"$1"
  [ $state = note ] && [ "$last" -eq 0 ] && [ "$hash" = "$root" ] || return 1
  under=$(tail -n "+$((count + 1))" "$1" | sha256sum)
  [ "$under" = "$(sha256sum <verify/checkpoint.note)" ]
}

# 1. The key, and its signature over the list of tag files.
openssl pkey -pubin -in $key -outform DER -out "$work/key" 2>"$work/said" || bad "$key is not a public key"
start=$(head -c 12 "$work/key" | od -An -tx1 | tr -d ' \n')
[ "$start" = 302a300506032b6570032100 ] || bad "$key is not an Ed25519 key"
fingerprint=$(tail -c 32 "$work/key" | sha256sum)
fingerprint=${fingerprint%% *}
if [ "$(wc -c <verify/tagmanifest.ed25519.sig)" -eq 64 ] &&
  openssl pkeyutl -verify -pubin -inkey $key -rawin -in tagmanifest-sha256.txt -sigfile verify/tagmanifest.ed25519.sig >"$work/said" 2>&1; then
  good "signature of tagmanifest-sha256.txt / 签名相符"
else
  bad "the signature does not belong to tagmanifest-sha256.txt / 签名不符"
fi

# 2. Every listed file has its digest, and nothing lies here that is not listed.
for list in tagmanifest-sha256.txt manifest-sha256.txt; do
  if sha256sum -c $list >"$work/said" 2>&1; then
    good "digests of $list / 校验值相符"
  else
    while IFS= read -r text; do
      case $text in *": OK" | *WARNING*) ;; *) bad "$text" ;; esac
    done <"$work/said"
    bad "$list does not hold / 校验值不符"
  fi
done
walk "" | sort >"$work/found"
{
  cut -c 67- tagmanifest-sha256.txt manifest-sha256.txt
  printf '%s\n' tagmanifest-sha256.txt verify/tagmanifest.ed25519.sig
} | sort >"$work/listed"
comm -3 "$work/found" "$work/listed" >"$work/said"
if [ -s "$work/said" ]; then
  while IFS= read -r text; do bad "not both listed and here: $text / 清单与文件不一致"; done <"$work/said"
else
  good "every file is listed, and every listed file is here / 文件与清单一致"
fi

# 3. The signed head of the log.
origin=
size=
root64=
signed=
state=text
while IFS= read -r line; do
  if [ $state = text ]; then
    if [ -z "$line" ]; then
      state=signatures
      continue
    fi
    printf '%s\n' "$line" >>"$work/head"
    if [ -z "$origin" ]; then origin=$line
    elif [ -z "$size" ]; then size=$line
    elif [ -z "$root64" ]; then root64=$line
    fi
    continue
  fi
  case $line in
    "— $origin "*)
      printf '%s' "${line##* }" | base64 -d >"$work/signature" 2>/dev/null
      tail -c 64 "$work/signature" >"$work/signature64"
      if [ "$(wc -c <"$work/signature")" -eq 68 ] &&
        openssl pkeyutl -verify -pubin -inkey $key -rawin -in "$work/head" -sigfile "$work/signature64" >"$work/said" 2>&1; then
        signed=yes
      fi
      ;;
    *) printf 'note  the head of the log is also signed by %s; not checked here\n' "$line" ;;
  esac
done <verify/checkpoint.note
if [ "$signed" = yes ]; then good "signed head of the log / 日志签名相符"; else bad "the head of the log is not signed by this key / 日志签名不符"; fi
case $size in '' | *[!0-9]*) bad "the head of the log has no size"; size=0 ;; esac
root=$(printf '%s' "$root64" | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n')

# 4. The log tells how each original was taken in, under the digest it has here; and of this export.
originals=0
while IFS= read -r entry; do
  digest=${entry%% *}
  name=${entry#*  data/}
  case $name in
    */* | list.csv | report.html | report.pdf) continue ;;
  esac
  number=${name%%_*}
  originals=$((originals + 1))
  line=
  IFS= read -r line <"verify/events/$number.jsonl"
  if ! is_proved "verify/proofs/$number.tlog-proof"; then
    bad "the event of $name is not in the log / 日志中无此事件"
    continue
  fi
  case $line in
    *'"sha256":"'"$digest"'"'*'"type":"arrival.accepted"'*) ;;
    *) bad "the event does not tell of $name / 事件与文件不符" ;;
  esac
done <manifest-sha256.txt
digest=$(sha256sum manifest-sha256.txt)
digest=${digest%% *}
line=
IFS= read -r line <verify/events/export.jsonl
if is_proved verify/proofs/export.tlog-proof; then
  case $line in
    *'"files":'"$originals"',"manifest":"'"$digest"'"'*'"type":"export.sealed"'*) good "$originals originals and this export are in the log / 日志中有 $originals 件及本次导出" ;;
    *) bad "the export's event tells of another package / 导出事件与本包不符" ;;
  esac
else
  bad "the export's event is not in the log / 日志中无本次导出"
fi

# 5. SM3, where the bureau computes it.
if [ -f verify/SM3SUMS ]; then
  if printf '' | openssl dgst -sm3 >"$work/said" 2>&1; then
    wrong=0
    while IFS= read -r entry; do
      found=$(openssl dgst -sm3 -r "${entry#*  }")
      [ "${found%% *}" = "${entry%% *}" ] || { wrong=1; bad "SM3 of ${entry#*  } / SM3 不符"; }
    done <verify/SM3SUMS
    [ $wrong -eq 0 ] && good "SM3 / SM3 相符"
  else
    printf 'note  this openssl has no SM3; not checked / 此 openssl 不支持 SM3\n'
  fi
fi

# 6. Whose signature it is.
printf 'key   %s\n' "$fingerprint"
if [ -n "${1:-}" ]; then
  wanted=$(printf '%s' "$1" | tr -d ': ' | tr A-F a-f)
  if [ "$wanted" = "$fingerprint" ]; then good "it is the key you named / 与所给指纹一致"; else bad "it is not the key you named / 与所给指纹不一致"; fi
else
  printf 'note  compare the key with the fingerprint you got from the bureau by another way / 请与另行取得的指纹核对\n'
fi
if [ $faults -eq 0 ]; then
  printf 'WHOLE / 完整\n'
  exit 0
fi
printf 'NOT WHOLE: %s faults / 不完整\n' "$faults"
exit 1
