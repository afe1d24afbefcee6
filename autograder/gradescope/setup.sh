#!/usr/bin/env bash
# Runs once, as root, when the site builds the image. Makes an environment with everything that grading needs, closes
# this folder to all users but root, and grades the reference solution: an image that cannot grade is not built.
set -euo pipefail
umask 022

root=${GENLAB_ROOT:-/autograder}
source=$root/source
environment=${GENLAB_ENVIRONMENT:-/opt/genlab}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

stop() {
    echo "genlab: $*" >&2
    exit 1
}

python_is_ready() {
    python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

install_python() {
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv
}

[ "$(id -u)" = 0 ] || stop "setup.sh has to run as root, as it does when the site builds the image"
[ -f "$source/genlab/assignment" ] || stop "there is no $source/genlab: upload the zip as 'genlab gradescope' made it"

python_is_ready || install_python || stop "Python could not be installed by apt-get; choose Ubuntu 22.04 as base image"
python_is_ready || stop "Python 3.10 or newer is needed; choose Ubuntu 22.04 as base image"

# uv, because it finds the builds of PyTorch for processors, which are a tenth as large as those for GPUs.
if ! uv=$(command -v uv); then
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
    uv=$tools/venv/bin/uv
fi
export UV_CACHE_DIR=$tools/cache UV_LINK_MODE=copy
"$uv" venv --quiet --clear --python "$(command -v python3)" "$environment"
python=$environment/bin/python
"$uv" pip install --quiet --compile-bytecode --torch-backend cpu --python "$python" \
    --requirement "$source/genlab/requirements.txt" || stop "the packages of genlab/requirements.txt were not installed"
"$uv" pip freeze --python "$python"

# The package stays in the closed folder; the environment only names it.
site=$("$python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$source/genlab" >"$site/genlab.pth"
"$python" -I -m compileall -q "$source/genlab/autograder"
chmod -R a+rX,go-w "$environment"
chown -R root:root "$source"
chmod -R go-rwx "$source"

bash "$source/run_autograder" --self-check || stop "the image was not built, see above"
