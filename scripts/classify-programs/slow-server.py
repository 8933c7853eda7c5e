"""Answers each connection on 127.0.0.1:PORT after 20 ms, so that its client waits: slow-server.py PORT."""
import socket
import sys
import time

with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        client, _ = server.accept()
        with client:
            client.recv(16)
            time.sleep(0.02)
            client.sendall(b"!")
