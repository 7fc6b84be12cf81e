# What large programs compute in Debian, in lines that DebianProgramTests compares with what other machines computed.
set -e
mkdir -p /tmp/work; cd /tmp/work

# V8 translates while others run beside it, on whatever harts there are.
cat > program.js <<'JS'
const hash = require('crypto').createHash('sha256');
for (let i = 0; i < 300; i++) {
    const made = new Function('a', 'b', `return a * ${i} + b * (a - ${i}) + ${i % 7}`);
    let sum = 0;
    for (let k = 0; k < 3000; k++) sum = (sum + made(k, sum & 255)) | 0;
    hash.update(String(sum));
}
const counts = new Map();
for (let i = 0; i < 200000; i++) counts.set('k' + i % 777, (counts.get('k' + i % 777) || 0) + i);
hash.update(JSON.stringify([...counts]));
const numbers = new Float64Array(4096);
for (let i = 0; i < numbers.length; i++) numbers[i] = Math.sqrt(i) / (i + 1);
let total = 0;
for (let round = 0; round < 50; round++) for (let i = 0; i < numbers.length; i++) total += numbers[i] * (round + 1);
hash.update(total.toFixed(6));
const fibonacci = n => n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
console.log('node', hash.digest('hex'), fibonacci(24));
JS
node program.js &

cat > program.py <<'PY'
import hashlib, json, random, re
random.seed(7)
values = {str(i): random.random() for i in range(30000)}
text = json.dumps(sorted(values.items(), key=lambda item: item[1]))
digits = sum(len(found) for found in re.findall(r'\d+\.\d{5}', text))
print('python', hashlib.sha256(text.encode()).hexdigest(), digits, 3 ** 2000 % 1000007)
PY
python3 program.py &

cat > program.c <<'C'
#include <stdio.h>

int main(void) {
    unsigned long x = 88172645463325252;
    double sum = 0;
    for (int i = 1; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x += i;
        sum += 1.0 / i / i;
    }
    printf("%lx %.12f\n", x, sum);
}
C
for level in 0 2; do
    gcc -O$level program.c -o program
    echo "gcc -O$level $(./program)"
done

git init -q repository 2>/dev/null
cd repository
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
for i in 1 2 3 4 5 6 7 8; do
    seq $i 99 > file$i
    git add .
    GIT_AUTHOR_DATE="@$i +0000" GIT_COMMITTER_DATE="@$i +0000" git commit -qm "$i"
done
git gc -q
git fsck --no-progress
echo "git $(git rev-parse HEAD)"
wait
exit 0
