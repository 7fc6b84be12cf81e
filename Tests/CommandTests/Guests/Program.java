import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

class Program {
    static final ConcurrentSkipListMap<Long, LongAdder> counts = new ConcurrentSkipListMap<>();
    static final AtomicLong atomic = new AtomicLong();
    static long locked;

    static long next(long x) {
        x ^= x << 13;
        x ^= x >>> 7;
        return x ^ x << 17;
    }

    // Counters that all threads share: a map without locks, an atomic and a field under a monitor.
    static long count(int number) {
        long x = 88172645463325252L + number;
        for (int i = 0; i < 60000; i++) {
            x = next(x);
            counts.computeIfAbsent((x >>> 33) % 97, key -> new LongAdder()).increment();
            atomic.addAndGet(x & 1023);
            synchronized (Program.class) { locked = locked * 3 + 1 - locked * 2; }
        }
        return x;
    }

    // Compiled code finds a null reference by a fault, and the end of the stack by another.
    static int failures(int number) {
        int caught = 0;
        int[] few = new int[3];
        String[] names = {"a", null, "ccc"};
        for (int i = 0; i < 20000; i++) {
            try {
                switch ((i + number) % 4) {
                    case 0 -> caught += names[i % 3].length();
                    case 1 -> caught += few[i % 5] + 1;
                    case 2 -> caught += 7 / (i % 6);
                    default -> { Object name = i % 3 == 0 ? i : "i"; caught += ((String) name).length(); }
                }
            } catch (NullPointerException e) {
                caught += 100;
            } catch (ArrayIndexOutOfBoundsException e) {
                caught += 1000;
            } catch (ArithmeticException e) {
                caught += 10000;
            } catch (ClassCastException e) {
                caught += 100000;
            }
        }
        try { descend(0); } catch (StackOverflowError e) { caught++; }
        return caught;
    }

    static int descend(int depth) { return descend(depth + 1) + 1; }

    // Garbage of all ages, which the collector moves while the other threads run.
    static long garbage(int number) {
        var kept = new ArrayDeque<byte[]>();
        long sum = 0, x = number + 1;
        for (int i = 0; i < 60000; i++) {
            x = next(x);
            var piece = new byte[(int) (x >>> 40) % 2000 + 1];
            Arrays.fill(piece, (byte) i);
            kept.add(piece);
            if (kept.size() > 2000) {
                var old = kept.remove();
                sum = sum * 31 + old.length + old[old.length / 2];
            }
        }
        return sum;
    }

    static String text(int number) {
        var words = new ArrayList<String>();
        long x = number + 99;
        for (int i = 0; i < 20000; i++) {
            x = next(x);
            words.add(Long.toString(x >>> 20, 36) + (char) ('a' + i % 26));
        }
        Collections.sort(words);
        var text = new StringBuilder();
        for (String word : words) text.append(word, 0, 3).append('-').append(word.length());
        return text.reverse().toString();
    }

    static String digest(List<? extends Future<?>> parts) throws Exception {
        var digest = MessageDigest.getInstance("SHA-256");
        for (var part : parts) digest.update((part.get() + ";").getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(digest.digest(), 0, 8);
    }

    public static void main(String[] arguments) throws Exception {
        var pool = Executors.newFixedThreadPool(4);
        var counters = new ArrayList<Future<Long>>();
        var failures = new ArrayList<Future<Integer>>();
        var garbage = new ArrayList<Future<Long>>();
        var texts = new ArrayList<Future<String>>();
        for (int i = 0; i < 6; i++) {
            int number = i;
            counters.add(pool.submit(() -> count(number)));
            failures.add(pool.submit(() -> failures(number)));
            garbage.add(pool.submit(() -> garbage(number)));
            texts.add(pool.submit(() -> text(number)));
        }
        System.out.println("java counters " + digest(counters) + " " + atomic + " " + locked + " "
            + counts.values().stream().mapToLong(LongAdder::sum).sum() + " "
            + counts.entrySet().stream().mapToLong(entry -> (entry.getKey() + 1) * entry.getValue().sum()).sum());
        System.out.println("java exceptions " + digest(failures));
        System.out.println("java garbage " + digest(garbage));
        System.out.println("java text " + digest(texts));
        pool.shutdown();
        double[] numbers = DoubleStream.iterate(0.5, value -> 3.9 * value * (1 - value)).limit(200000).toArray();
        Arrays.parallelSort(numbers);
        System.out.printf(Locale.ROOT, "java numbers %d %.12f %.9f%n",
            LongStream.rangeClosed(1, 1000000).parallel().map(i -> i * i % 7).sum(), numbers[50000],
            Arrays.stream(numbers).map(Math::sqrt).sum());
    }
}
