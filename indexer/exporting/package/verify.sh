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
note() { printf 'note  %s\n' "$1"; }
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

# Whether the log of $2 entries with the root $3 is the beginning of this log, by the proof in file $1 (RFC 9162,
# 2.1.4.2, in the form of C2SP tlog-witness). root: of this log; both roots as octal.
is_grown() {
  place=$(($2 - 1))
  last=$((size - 1))
  while [ $((place % 2)) -eq 1 ]; do
    place=$((place / 2))
    last=$((last / 2))
  done
  was=
  [ $place -ne 0 ] || was=$3
  now=$was
  state=head
  count=0
  while IFS= read -r text; do
    count=$((count + 1))
    case $state in
      head)
        [ "$text" = "old $2" ] || return 1
        state=path
        ;;
      path)
        if [ -z "$text" ]; then
          state=note
          break
        fi
        octal_of_base64 "$text" || return 1
        step=$octal
        if [ -z "$now" ]; then
          was=$step
          now=$step
          continue
        fi
        [ "$last" -ne 0 ] || return 1
        if [ $((place % 2)) -eq 1 ] || [ "$place" -eq "$last" ]; then
          hash_node "$step" "$was"
          octal_of_hex "$hash"
          was=$octal
          hash_node "$step" "$now"
          while [ $((place % 2)) -eq 0 ] && [ "$place" -ne 0 ]; do
            place=$((place / 2))
            last=$((last / 2))
          done
        else
          hash_node "$now" "$step"
        fi
        octal_of_hex "$hash"
        now=$octal
        place=$((place / 2))
        last=$((last / 2))
        ;;
    esac
  done <"$1"
  octal_of_hex "$root"
  [ $state = note ] && [ "$last" -eq 0 ] && [ "$was" = "$3" ] && [ "$now" = "$octal" ] || return 1
  under=$(tail -n "+$((count + 1))" "$1" | sha256sum)
  [ "$under" = "$(sha256sum <verify/checkpoint.note)" ]
}

# Splits the signed head in file $1: its text into $work/head, its signature lines into $work/lines; sets said_origin,
# said_size, said_root (base64) and said_sm2.
read_head() {
  said_origin=
  said_size=
  said_root=
  said_sm2=
  state=text
  : >"$work/head"
  : >"$work/lines"
  while IFS= read -r text; do
    if [ $state = lines ]; then
      printf '%s\n' "$text" >>"$work/lines"
      continue
    fi
    if [ -z "$text" ]; then
      state=lines
      continue
    fi
    printf '%s\n' "$text" >>"$work/head"
    if [ -z "$said_origin" ]; then said_origin=$text
    elif [ -z "$said_size" ]; then said_size=$text
    elif [ -z "$said_root" ]; then said_root=$text
    else case $text in "sm2 "*) said_sm2=${text#sm2 } ;; esac
    fi
  done <"$1"
}

# Sets at to the seconds since 1970 in $1 as a date and time.
date_of() {
  day=$(($1 / 86400 + 719468))
  era=$((day / 146097))
  day=$((day % 146097))
  year=$(((day - day / 1460 + day / 36524 - day / 146096) / 365))
  day=$((day - (365 * year + year / 4 - year / 100)))
  month=$(((5 * day + 2) / 153))
  day=$((day - (153 * month + 2) / 5 + 1))
  year=$((year + era * 400))
  if [ $month -lt 10 ]; then month=$((month + 3)); else month=$((month - 9)) year=$((year + 1)); fi
  at=$(printf '%04d-%02d-%02d %02d:%02d:%02d UTC' $year $month $day $(($1 / 3600 % 24)) $(($1 / 60 % 60)) $(($1 % 60)))
}

# Sets seconds, since 1970, to a time as openssl prints it: "Nov 22 09:05:03 2026 GMT"; 1 where it is none.
seconds_of() {
  before=${1%% *}
  months=JanFebMarAprMayJunJulAugSepOctNovDec
  case $months in *"$before"*) ;; *) return 1 ;; esac
  month=${months%%"$before"*}
  month=$((${#month} / 3 + 1))
  # shellcheck disable=SC2086
  set -- $1
  [ $# -eq 5 ] && [ "$5" = GMT ] || return 1
  case $2$4 in *[!0-9]*) return 1 ;; esac
  clock=${3%%.*}
  hour=${clock%%:*}
  minute=${clock#*:}
  second=${minute#*:}
  minute=${minute%%:*}
  case $hour$minute$second in *[!0-9]* | '') return 1 ;; esac
  year=$4
  if [ $month -gt 2 ]; then month=$((month - 3)); else month=$((month + 9)) year=$((year - 1)); fi
  day=$(((153 * month + 2) / 5 + $2 - 1 + 365 * year + year / 4 - year / 100 + year / 400 - 719468))
  seconds=$((day * 86400 + ${hour#0} * 3600 + ${minute#0} * 60 + ${second#0}))
}

# Says that somebody ($1 Chinese, $2 English) stands for the first $3 entries at the time $4.
stands() {
  counted=0
  for index in $places; do [ "$index" -lt "$3" ] && counted=$((counted + 1)); done
  good "$2 signed for the first $3 entries of the log at $4; $counted of the $originals originals were in it"
  printf '      %s于 %s 为日志前 %s 条签名，本包 %s 件原始文件中有 %s 件在其中\n' "$1" "$4" "$3" "$originals" "$counted"
  parties=$((parties + 1))
}

# The line $2 behind the head over $1 entries is a witness's signature (C2SP tlog-cosignature). The text is in $work/head.
check_cosignature() {
  encoded=${2##* }
  name=${2#— }
  name=${name%" $encoded"}
  printf '%s' "$encoded" | base64 -d >"$work/signature" 2>/dev/null
  if [ "$2" != "— $name $encoded" ] || [ "$(wc -c <"$work/signature")" -ne 76 ] ||
    [ "$(openssl base64 -A -in "$work/signature")" != "$encoded" ]; then
    bad "a line of verify/heads/$1.cosigned.note is no signature of a witness / 见证签名格式不符"
    return
  fi
  id=$(head -c 4 "$work/signature" | od -An -tx1 | tr -d ' \n')
  public=verify/keys/witness-$id.pem
  if ! openssl pkey -pubin -in "$public" -outform DER -out "$work/witness" 2>"$work/said" ||
    [ "$(head -c 12 "$work/witness" | od -An -tx1 | tr -d ' \n')" != 302a300506032b6570032100 ]; then
    bad "$public is not the key of the witness $name / 见证公钥无法使用"
    return
  fi
  wanted=$({ printf '%s\n\004' "$name"; tail -c 32 "$work/witness"; } | sha256sum)
  # shellcheck disable=SC2046
  set -- "$1" "$name" $(tail -c 72 "$work/signature" | head -c 8 | od -An -v -tu1)
  seconds=$(((($5 * 256 + $6) * 256 + $7) * 256 + $8))
  seconds=$(((seconds * 256 + $9) * 256 + ${10}))
  { printf 'cosignature/v1\ntime %s\n' "$seconds"; cat "$work/head"; } >"$work/message"
  tail -c 64 "$work/signature" >"$work/signature64"
  if [ "$3$4" = 00 ] && [ "${wanted%"${wanted#????????}"}" = "$id" ] &&
    openssl pkeyutl -verify -pubin -inkey "$public" -rawin -in "$work/message" -sigfile "$work/signature64" >"$work/said" 2>&1; then
    date_of $seconds
    stands "见证 $2 " "the witness $2" "$1" "$at"
    case "$witnesses " in *" $id "*) ;; *) witnesses="$witnesses $id" ;; esac
  else
    bad "the signature of the witness $2 over $1 entries does not hold / 见证签名不符"
  fi
}

# The timestamp server's answer about the head over $1 entries (RFC 3161). Its certificate had to be valid then, not now.
check_token() {
  token=verify/heads/$1.note.tsr
  stamp=
  hashed=
  openssl ts -reply -in "$token" -text >"$work/text" 2>"$work/said"
  while IFS= read -r text; do
    case $text in
      "Time stamp: "*) stamp=${text#Time stamp: } ;;
      "Hash Algorithm: "*) hashed=${text#Hash Algorithm: } ;;
    esac
  done <"$work/text"
  if [ "$hashed" = sm3 ] && ! printf '' | openssl dgst -sm3 >"$work/said" 2>&1; then
    unchecked=$((unchecked + 1))
    note "this openssl has no SM3; the timestamp over $1 entries is not checked / 此 openssl 不支持 SM3，时间戳未核验"
  elif seconds_of "$stamp" && openssl ts -verify -data "verify/heads/$1.note" -in "$token" \
    -CAfile verify/keys/timestamp-ca.pem -attime $seconds >"$work/said" 2>&1; then
    date_of $seconds
    stands "时间戳服务器" "a timestamp server" "$1" "$at"
    stamped=yes
  else
    bad "the timestamp $token does not hold / 时间戳不符"
  fi
}

# The older head over $1 entries is the beginning of this log, and somebody else signed for it.
check_head() {
  head=verify/heads/$1
  had_parties=$parties
  had_unchecked=$unchecked
  had_faults=$faults
  for name in "$head.note" "$head.consistency"; do
    [ -f "$name" ] || { bad "$name is missing / 缺少文件"; return; }
  done
  read_head "$head.note"
  if [ "$said_origin" != "$origin" ] || [ "$said_size" != "$1" ] || [ "$1" -ge "$size" ] ||
    ! octal_of_base64 "$said_root" || ! is_grown "$head.consistency" "$1" "$octal"; then
    bad "the head over $1 entries is not proved to be the beginning of this log / 无法证明日志只增不改"
    return
  fi
  if [ -f "$head.cosigned.note" ]; then
    length=$(wc -c <"$head.note")
    if [ "$(head -c "$((length))" "$head.cosigned.note" | sha256sum)" = "$(sha256sum <"$head.note")" ]; then
      tail -c "+$((length + 1))" "$head.cosigned.note" >"$work/cosigned"
      while IFS= read -r text || [ -n "$text" ]; do check_cosignature "$1" "$text"; done <"$work/cosigned"
    else
      bad "$head.cosigned.note is another head than $head.note / 两个日志头不一致"
    fi
  fi
  [ ! -f "$head.note.tsr" ] || check_token "$1"
  if [ "$parties" -eq "$had_parties" ] && [ "$unchecked" -eq "$had_unchecked" ] && [ "$faults" -eq "$had_faults" ]; then
    bad "nobody but the bureau signed the head over $1 entries / 该日志头没有第二方签名"
  fi
  [ "$parties" -eq "$had_parties" ] || newest=$1
}

# Whether this openssl knows SM2 with SM3.
has_sm2() {
  case $(openssl list -signature-algorithms 2>/dev/null) in *SM2*) ;; *) return 1 ;; esac
  printf '' | openssl dgst -sm3 >"$work/said" 2>&1
}

# The SM2 signature in $2 is over the file $1 (GB/T 32918.2).
check_sm2() {
  if openssl dgst -sm3 -verify verify/keys/log-sm2.pem -sigopt distid:1234567812345678 -signature "$2" "$1" >"$work/said" 2>&1
  then good "SM2 signature of $1 / SM2 签名相符"
  else bad "the SM2 signature $2 does not hold / SM2 签名不符"
  fi
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
  # It signs the list, and so cannot be on it; step 7 says whether it must be here.
  [ ! -f verify/tagmanifest.sm2.sig ] || printf '%s\n' verify/tagmanifest.sm2.sig
} | sort >"$work/listed"
comm -3 "$work/found" "$work/listed" >"$work/said"
if [ -s "$work/said" ]; then
  while IFS= read -r text; do bad "not both listed and here: $text / 清单与文件不一致"; done <"$work/said"
else
  good "every file is listed, and every listed file is here / 文件与清单一致"
fi

# 3. The signed head of the log.
read_head verify/checkpoint.note
origin=$said_origin
size=$said_size
sm2=$said_sm2
signed=
while IFS= read -r line; do
  case $line in
    "— $origin "*)
      printf '%s' "${line##* }" | base64 -d >"$work/signature" 2>/dev/null
      tail -c 64 "$work/signature" >"$work/signature64"
      if [ "$(wc -c <"$work/signature")" -eq 68 ] &&
        openssl pkeyutl -verify -pubin -inkey $key -rawin -in "$work/head" -sigfile "$work/signature64" >"$work/said" 2>&1; then
        signed=yes
      fi
      ;;
    *) note "the head of the log is also signed by $line; not checked here / 此签名未核验" ;;
  esac
done <"$work/lines"
if [ "$signed" = yes ]; then good "signed head of the log / 日志签名相符"; else bad "the head of the log is not signed by this key / 日志签名不符"; fi
case $size in '' | *[!0-9]*) bad "the head of the log has no size"; size=0 ;; esac
root=$(printf '%s' "$said_root" | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n')

# 4. The log tells how each original was taken in, under the digest it has here; and of this export.
originals=0
places=
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
  places="$places $index"
  case $line in
    *'"sha256":"'"$digest"'"'*'"type":"arrival.accepted"'*) ;;
    *) bad "the event does not tell of $name / 事件与文件不符" ;;
  esac
done <manifest-sha256.txt
digest=$(sha256sum manifest-sha256.txt)
digest=${digest%% *}
line=
IFS= read -r line <verify/events/export.jsonl
heads=
if is_proved verify/proofs/export.tlog-proof; then
  case $line in
    *'"second_party":['*)
      heads=${line#*'"second_party":['}
      heads=${heads%%']'*}
      ;;
  esac
  case $line in
    *'"files":'"$originals"',"manifest":"'"$digest"'"'*'"type":"export.sealed"'*) good "$originals originals and this export are in the log / 日志中有 $originals 件及本次导出" ;;
    *) bad "the export's event tells of another package / 导出事件与本包不符" ;;
  esac
else
  bad "the export's event is not in the log / 日志中无本次导出"
fi

# 5. Who else signed the log. The export's event names the heads; nothing else may lie among them.
parties=0
witnesses=
stamped=
unchecked=0
newest=0
for file in verify/heads/*; do
  [ -e "$file" ] || continue
  name=${file##*/}
  case ",$heads," in *",${name%%.*},"*) ;; *) name=other ;; esac
  case ${name#*.} in
    note | consistency | cosigned.note | note.tsr) ;;
    *) bad "the export's event does not tell of $file / 导出事件未提及此文件" ;;
  esac
done
for number in $(printf '%s' "$heads" | tr , ' '); do check_head "$number"; done
alone=0
for index in $places; do [ "$index" -lt "$newest" ] || alone=$((alone + 1)); done
if [ "$parties" -eq 0 ]; then
  note "no second party has signed: only this bureau's own key proves what is in its log, and since when"
  printf '      没有第二方签名：日志中有什么、何时记入，只由本单位自己的密钥证明\n'
elif [ $alone -gt 0 ]; then
  note "$alone originals were taken in later: for them only this bureau's own key proves it"
  printf '      其后入库的 %s 件没有第二方签名，只由本单位自己的密钥证明\n' $alone
fi

# 6. SM3, where the bureau computes it.
if [ -f verify/SM3SUMS ]; then
  if printf '' | openssl dgst -sm3 >"$work/said" 2>&1; then
    wrong=0
    while IFS= read -r entry; do
      found=$(openssl dgst -sm3 -r "${entry#*  }")
      [ "${found%% *}" = "${entry%% *}" ] || { wrong=1; bad "SM3 of ${entry#*  } / SM3 不符"; }
    done <verify/SM3SUMS
    [ $wrong -eq 0 ] && good "SM3 / SM3 相符"
  else
    note "this openssl has no SM3; not checked / 此 openssl 不支持 SM3，未核验"
  fi
fi

# 7. SM2, where the bureau signs with it too: the head of the log names the key.
if [ -z "$sm2" ]; then
  for name in verify/keys/log-sm2.pem verify/checkpoint.note.sm2.sig verify/tagmanifest.sm2.sig; do
    [ ! -e $name ] || bad "the head of the log does not tell of $name / 日志头未提及此文件"
  done
elif ! has_sm2; then
  note "this openssl has no SM2; its signatures are not checked / 此 openssl 不支持 SM2，SM2 签名未核验"
else
  openssl pkey -pubin -in verify/keys/log-sm2.pem -outform DER -out "$work/sm2" 2>"$work/said"
  found=$(tail -c 65 "$work/sm2" | sha256sum)
  if [ "${found%% *}" = "$sm2" ]; then
    check_sm2 tagmanifest-sha256.txt verify/tagmanifest.sm2.sig
    check_sm2 verify/checkpoint.note verify/checkpoint.note.sm2.sig
  else
    bad "verify/keys/log-sm2.pem is not the SM2 key that the head of the log names / SM2 公钥不符"
  fi
fi

# 8. Whose signatures they are.
printf 'key   %s\n' "$fingerprint"
if [ -n "${1:-}" ]; then
  wanted=$(printf '%s' "$1" | tr -d ': ' | tr A-F a-f)
  if [ "$wanted" = "$fingerprint" ]; then good "it is the key you named / 与所给指纹一致"; else bad "it is not the key you named / 与所给指纹不一致"; fi
else
  note "compare the key with the fingerprint you got from the bureau by another way / 请与另行取得的指纹核对"
fi
for id in $witnesses; do
  found=$(openssl pkey -pubin -in "verify/keys/witness-$id.pem" -outform DER | tail -c 32 | sha256sum)
  printf 'key   %s  verify/keys/witness-%s.pem\n' "${found%% *}" "$id"
done
count=0
[ -z "$stamped" ] || while IFS= read -r text; do
  case $text in *"BEGIN CERTIFICATE"*) count=$((count + 1)) ;; esac
  [ $count -eq 0 ] || printf '%s\n' "$text" >>"$work/ca$count"
done <verify/keys/timestamp-ca.pem
while [ $count -gt 0 ]; do
  openssl x509 -in "$work/ca$count" -noout -fingerprint -sha256 -subject >"$work/text" 2>"$work/said"
  while IFS= read -r text; do printf 'key   %s  verify/keys/timestamp-ca.pem\n' "$text"; done <"$work/text"
  count=$((count - 1))
done
if [ "$parties" -gt 0 ]; then
  note "compare these keys with what the second parties themselves told you / 第二方的公钥请向第二方本身核对"
fi
if [ $faults -eq 0 ]; then
  printf 'WHOLE / 完整\n'
  exit 0
fi
printf 'NOT WHOLE: %s faults / 不完整\n' "$faults"
exit 1
