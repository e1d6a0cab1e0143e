# Completion for bash: source it, or install it as /usr/share/bash-completion/completions/quorate (and crm).
_quorate() {
  local line=${COMP_LINE:0:COMP_POINT}
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "${line#* }" 2>/dev/null)
}
complete -F _quorate quorate crm
