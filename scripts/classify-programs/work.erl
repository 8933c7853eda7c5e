%% SPDX-License-Identifier: BSD-3-Clause
%% Work for one program in Erlang: erl -noshell -s work MODE, until killed.
%%
%%   nrev    reverses a list of 30 elements, naively
%%   ets     looks random keys up in a table of 30 000 entries
%%   server  eight clients of one process, which sleeps 2 ms for each answer
%%
%% Nothing here is shared with kernels/, on which `xbound classify` may be tuned.
-module(work).
-export([nrev/0, ets/0, server/0]).

rev([]) -> [];
rev([H | T]) -> app(rev(T), [H]).
app([], L) -> L;
app([H | T], L) -> [H | app(T, L)].

nrev() -> nrev(lists:seq(1, 30)).
nrev(L) -> rev(L), nrev(L).

ets() ->
    T = ets:new(t, [set, private]),
    [ets:insert(T, {I, I}) || I <- lists:seq(0, 29999)],
    ets(T, 1).
ets(T, X) ->
    [{_, V}] = ets:lookup(T, (X * 7919 + 12345) rem 30000),
    ets(T, V + X rem 3).

server() ->
    S = spawn(fun serve/0),
    [spawn(fun() -> client(S) end) || _ <- lists:seq(1, 8)],
    receive never -> ok end.
serve() ->
    receive {From, X} -> timer:sleep(2), From ! X end,
    serve().
client(S) ->
    S ! {self(), x},
    receive x -> ok end,
    client(S).
