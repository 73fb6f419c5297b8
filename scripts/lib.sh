# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the scripts that read this
# What the scripts of this folder share: where things are, and how they speak. Read, not run.

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/parachute
# The Claude CLI that the tests are made for; any newer one on PATH will do to run Parachute.
claude_version=2.1.328
# The accessibility checker that the web console is held to.
axe_version=4.14.1
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Whether this Rust can compile for a target.
has_target() { [ -d "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/$1/lib" ]; }

# Prints the opening comment of the script that calls it.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"; }

# as_root CMD...: as root, by sudo where we are not.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo "$@"; else
    die "this needs root, and there is no sudo here: $*"
  fi
}

# The name of the npm package that holds the native Claude CLI of this machine.
claude_package() {
  local os cpu libc=
  case $(uname -s) in Linux) os=linux ;; Darwin) os=darwin ;; *) return 1 ;; esac
  case $(uname -m) in x86_64 | amd64) cpu=x64 ;; aarch64 | arm64) cpu=arm64 ;; *) return 1 ;; esac
  if [ $os = linux ] && { ldd --version 2>&1 || true; } | grep -qi musl; then libc=-musl; fi
  printf '%s\n' "@anthropic-ai/claude-code-$os-$cpu$libc"
}

# Where scripts/setup puts the pinned Claude CLI.
pinned_claude() { printf '%s\n' "$cache/claude/$claude_version/node_modules/$(claude_package)/claude"; }

# Where scripts/setup puts it: one file of JavaScript.
pinned_axe() { printf '%s\n' "$cache/axe/$axe_version/node_modules/axe-core/axe.min.js"; }

# Where scripts/setup puts the reference MCP server, as its lock has it: a program for node.
mcp_lock=$top/tests/real-mcp/package-lock.json
mcp_root() { printf '%s\n' "$cache/mcp/$(cksum <"$mcp_lock" | cut -d' ' -f1)"; }
pinned_mcp() { printf '%s\n' "$(mcp_root)/node_modules/@modelcontextprotocol/server-everything/dist/index.js"; }

# The Claude CLI to run with: $CLAUDE, PATH, the pinned one. Fails where there is none.
find_claude() {
  if [ -n "${CLAUDE:-}" ]; then printf '%s\n' "$CLAUDE"
  elif have claude; then command -v claude
  elif [ -x "$(pinned_claude)" ]; then pinned_claude
  else return 1; fi
}
