"""moto's server, answering one request at a time.

S3 looks whether the condition of a PUT is met and writes as one step. moto does so in two, between
which its threads let another request in: on a busy machine two creators of one key win.
"""

import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main

turn = threading.Lock()
answer = DomainDispatcherApplication.__call__


def answer_alone(self, environ, start_response):
    with turn:
        return list(answer(self, environ, start_response))


DomainDispatcherApplication.__call__ = answer_alone
main()
