# delay.pl SOCKET TARGET MS: stands between a client and a server (sockets of Unix) as a network does that takes MS milliseconds there and back: what
# comes in goes out half of that later, in order, however much is under way.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

my ($path, $target, $ms) = @ARGV;
my $half = $ms / 2000;
my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 100) or die "$path: $!";
my $readers = IO::Select->new($listener);
my %peer;     # of each socket, the one that gets what it says
my %under_way;    # what is on its way to a socket: [when it is there, bytes]; undef bytes: the end

sub due
{
	my $first;
	for my $list (values %under_way) { $first = $list->[0][0] if @$list && (!defined $first || $list->[0][0] < $first); }
	return $first;
}

while (1)
{
	my $due = due();
	my $timeout = defined $due ? $due - time : undef;
	$timeout = 0 if defined $timeout && $timeout < 0;
	for my $socket ($readers->can_read($timeout))
	{
		if ($socket == $listener)
		{
			my $client = $listener->accept or next;
			my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $target) or die "$target: $!";
			($peer{$client}, $peer{$server}) = ($server, $client);
			$readers->add($client, $server);
			next;
		}
		my $to = $peer{$socket} or next;
		my $bytes;
		my $ended = !sysread $socket, $bytes, 1 << 20;
		$readers->remove($socket) if $ended;
		push @{ $under_way{$to} }, [ time + $half, $ended ? undef : $bytes, $to ];
	}
	for my $key (keys %under_way)
	{
		my $list = $under_way{$key};
		while (@$list && $list->[0][0] <= time)
		{
			my (undef, $bytes, $to) = @{ shift @$list };
			my $written = 0;
			if (!defined $bytes) { shutdown $to, 1; next; }
			while ($written < length $bytes)
			{
				my $n = syswrite $to, $bytes, length($bytes) - $written, $written;
				last unless defined $n;
				$written += $n;
			}
		}
		delete $under_way{$key} unless @$list;
	}
}
