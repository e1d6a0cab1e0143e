# Completion for bash: source it, or install it as /usr/share/bash-completion/completions/quorate (and crm).
_quorate() {
  local line=${COMP_LINE:0:COMP_POINT} word typed known help=()
  line=${line#"${line%%[![:space:]]*}"}
  typed=${line##*[[:space:]]}
  # Bash breaks words at : and = and replaces only what follows the last of them.
  known=${typed%"${typed##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ $word == $'\t'* ]]; then help+=("${word#$'\t'}"); else COMPREPLY+=("${word#"$known"}"); fi
  done < <("${COMP_WORDS[0]}" __complete "${line#*[[:space:]]}" 2>/dev/null)
  # What is known of `name=` is listed and never typed: two entries without a common beginning.
  if ((${#COMPREPLY[@]} == 0 && ${#help[@]} > 0)); then COMPREPLY=("${help[0]}" " "); fi
  if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=:/.,] ]]; then compopt -o nospace; fi
}
complete -F _quorate quorate crm
