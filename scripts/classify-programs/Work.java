/* SPDX-License-Identifier: BSD-3-Clause
 * What Java programs do beside computing: java Work MODE [N], until killed.
 *
 *   modpow   powers of a number of N bits modulo another
 *   map      looks one key after another up in a HashMap of N, where each says which is next
 *   objects  adds up a field of N objects through references that were shuffled
 *   handoff  two threads hand an object to and fro through queues without room
 *   monitor  four threads and one monitor, whose owner sleeps 2 ms
 *
 * Nothing here is shared with kernels/, on which `xbound classify` may be tuned. */
import java.math.BigInteger;
import java.util.HashMap;
import java.util.Random;
import java.util.concurrent.SynchronousQueue;

public class Work {
    static volatile long result;

    static void modpow(int bits) {
        Random random = new Random(1);
        BigInteger base = new BigInteger(bits, random), power = new BigInteger(bits, random);
        BigInteger modulus = new BigInteger(bits, random).setBit(0);
        for (;;)
            result = base.modPow(power, modulus).longValue();
    }

    static <T> void shuffle(T[] all) {
        Random random = new Random(1);
        for (int i = all.length - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            T swap = all[i];
            all[i] = all[other];
            all[other] = swap;
        }
    }

    static void map(int n) {
        HashMap<Integer, Integer> map = new HashMap<>(2 * n);
        Integer[] keys = new Integer[n];
        for (int i = 0; i < n; i++) {
            keys[i] = i * 31;
            map.put(keys[i], keys[i]);
        }
        shuffle(keys);
        for (int i = 0; i < n; i++)
            map.put(keys[i], keys[(i + 1) % n]);
        for (Integer at = keys[0];;) {
            for (int i = 0; i < 1000000; i++)
                at = map.get(at);
            result = at;
        }
    }

    static class Item {
        long value;
        long other;
        Item(long value) { this.value = value; }
    }

    static void objects(int n) {
        Item[] all = new Item[n];
        for (int i = 0; i < n; i++)
            all[i] = new Item(i);
        shuffle(all);
        for (;;) {
            long sum = 0;
            for (Item item : all)
                sum += item.value;
            result = sum;
        }
    }

    static void handoff() throws InterruptedException {
        SynchronousQueue<Object> there = new SynchronousQueue<>(), back = new SynchronousQueue<>();
        new Thread(() -> {
            try {
                for (;;)
                    back.put(there.take());
            } catch (InterruptedException e) {
                return;
            }
        }).start();
        for (;;) {
            there.put("item");
            back.take();
        }
    }

    static void monitor() {
        Object lock = new Object();
        for (int i = 0; i < 4; i++)
            new Thread(() -> {
                for (;;)
                    synchronized (lock) {
                        try {
                            Thread.sleep(2);
                        } catch (InterruptedException e) {
                            return;
                        }
                    }
            }).start();
    }

    public static void main(String[] arguments) throws InterruptedException {
        int n = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 0;
        switch (arguments.length > 0 ? arguments[0] : "") {
        case "modpow" -> modpow(n);
        case "map" -> map(n);
        case "objects" -> objects(n);
        case "handoff" -> handoff();
        case "monitor" -> monitor();
        default -> {
            System.err.println("Usage: java Work modpow N|map N|objects N|handoff|monitor");
            System.exit(2);
        }
        }
    }
}
