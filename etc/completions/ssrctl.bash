# SPDX-License-Identifier: MIT
# bash completion for ssrctl

_ssrctl()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local commands='status reload stop drain check render cache purge log'
    local words='' command='' sub='' i

    COMPREPLY=()
    case $previous in
    -s | --socket | -c | --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --timeout | --url | --data | --prefix | --tag)
        return
        ;;
    esac

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -s | --socket | -c | --config | --timeout | --url | --data | --prefix | --tag) ((i++)) ;;
        -*) ;;
        *)
            if [[ -z $command ]]; then
                command=${COMP_WORDS[i]}
            elif [[ -z $sub ]]; then
                sub=${COMP_WORDS[i]}
            fi
            ;;
        esac
    done

    case $command in
    '') words="$commands -s --socket -c --config --json --timeout -h --help -V --version" ;;
    status | reload | stop | drain) words='--json --timeout' ;;
    check)
        words='--url --data --json'
        if [[ -z $sub && $current != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
        fi
        ;;
    render) words='--data --json --timeout' ;;
    cache)
        case $sub in
        '') words='stat ls get' ;;
        ls) words='--prefix --json --timeout' ;;
        *) words='--json --timeout' ;;
        esac
        ;;
    purge) words='--prefix --tag --all --json --timeout' ;;
    log)
        words='--json --timeout'
        [[ -z $sub ]] && words="error warn info debug $words"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _ssrctl ssrctl
