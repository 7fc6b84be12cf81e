# Perl's own work: hashes, regular expressions, strings, sorting.
use strict;
use warnings;

my (%words, $state);
$state = 1;
for my $i (1 .. 60000) {
    $state = ($state * 1103515245 + 12345) % 2147483648;
    $words{"w" . $state % 5000}++;
}
my @top = sort { $words{$b} <=> $words{$a} || $a cmp $b } keys %words;
print join(" ", map { "$_=$words{$_}" } @top[0 .. 9]), "\n";

my $text = join(",", map { $_ * $_ } 1 .. 40000);
my $count = 0;
$count++ while $text =~ /(\d)\1(?:\d*)[02468],/g;
print "$count\n";
(my $other = $text) =~ s/(\d+),(\d+)/$2;$1/g;
print length($other), " ", unpack("%32C*", $other), "\n";

sub fibonacci { my $n = shift; $n < 2 ? $n : fibonacci($n - 1) + fibonacci($n - 2) }
print fibonacci(21), "\n";
