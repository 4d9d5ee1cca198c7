"""
The four servers of a one-node Swift, each in a process of its own, forked from this one:
    swift-server.py FOLDER PROXY_PORT ACCOUNT_PORT CONTAINER_PORT OBJECT_PORT
Objects are kept in memory (Swift's own mem_object server), so that no file system with extended attributes is needed.
Returns as soon as they run; swift-server.sh waits for their ports and ends them by their pid files.
"""
import getpass
import os
import sys

folder = sys.argv[1]
ports = dict(zip(('proxy', 'account', 'container', 'object'), map(int, sys.argv[2:])))

from swift.common import utils  # noqa: E402

# What /etc/swift/swift.conf would say; without it Swift refuses to start.
utils.HASH_PATH_SUFFIX = b'livestow'
utils.HASH_PATH_PREFIX = b'livestow'

from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import run_wsgi  # noqa: E402

COMMON = f'''[DEFAULT]
bind_ip = 127.0.0.1
bind_port = %(port)s
workers = 0
user = {getpass.getuser()}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
log_level = WARNING
'''

STORAGE = '''[pipeline:main]
pipeline = %(kind)s-server
[app:%(kind)s-server]
use = egg:swift#%(app)s
'''

PROXY = '''[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats cache s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:cache]
use = call:__main__:no_cache
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
# So that a test of paging need not write a thousand objects, each of which costs this server 20 ms.
max_bucket_listing = 100
[filter:tempauth]
use = egg:swift#tempauth
user_test_livestow = livestow-test-secret .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
'''


class NoCache:
    """Swift insists on a memcache; one process that is asked little does without what a cache could remember."""

    def get(self, key, **_):
        return None

    def set(self, key, value, **_):
        pass

    def delete(self, key, **_):
        pass


def no_cache(_global_conf, **_local_conf):
    def filter(app):
        def serve_request(env, start_response):
            env['swift.cache'] = NoCache()
            return app(env, start_response)
        return serve_request
    return filter


def make_ring(kind, port):
    builder = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1, 'ip': '127.0.0.1', 'port': port, 'device': 'd0'})
    builder.rebalance()
    builder.get_ring().save(f'{folder}/{kind}.ring.gz')


def serve(kind, port):
    config = f'{folder}/{kind}.conf'
    with open(config, 'w') as file:
        file.write(COMMON % {'port': port})
        file.write(PROXY if kind == 'proxy' else STORAGE % {'kind': kind, 'app': 'mem_object' if kind == 'object' else kind})
    pid = os.fork()
    if pid:
        with open(f'{folder}/run/{kind}.pid', 'w') as file:
            file.write(str(pid))
        return
    os.setsid()
    log = os.open(f'{folder}/log/{kind}.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os._exit(run_wsgi(config, f'{kind}-server', verbose=True))


os.makedirs(f'{folder}/devices/d0', exist_ok=True)
for kind in ('account', 'container', 'object'):
    make_ring(kind, ports[kind])
for kind, port in ports.items():
    serve(kind, port)
