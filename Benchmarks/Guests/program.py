# Python's own work: objects, dictionaries, strings, big integers, closures.
import math


class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def length(self):
        return math.sqrt(self.x * self.x + self.y * self.y)


def queens(count, row=0, columns=0, up=0, down=0):
    if row == count:
        return 1
    total = 0
    for column in range(count):
        a, b, c = 1 << column, 1 << (row + column), 1 << (row - column + count)
        if not (columns & a or up & b or down & c):
            total += queens(count, row + 1, columns | a, up | b, down | c)
    return total


words = {}
state = 1
for i in range(60000):
    state = (state * 1103515245 + 12345) % 2147483648
    word = "w%d" % (state % 5000)
    words[word] = words.get(word, 0) + 1
top = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:10]
print(top)

total = Vector(0, 0)
for i in range(60000):
    total = total + Vector(i % 7, i % 11)
print(total.x, total.y, total.length())

print(queens(8))
print((3**20000) % (10**50), (7**9000 * 3**9000).bit_length())
text = ",".join(str(i * i) for i in range(40000))
print(sum(map(int, text.split(","))))
