# A TCP proxy before a server, which does what networks do: it stalls, resets connections, loses what is on its way.
package Proxy;
use strict;
use warnings;

use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);

# A proxy for the server whose socket has this path.
sub new
{
	my ($class, $path) = @_;
	my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
	socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
	my $parent = $$;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		close $ours;
		serve($listener, $path, $theirs);
		require POSIX;
		POSIX::_exit(0);
	}
	close $theirs;
	$ours->autoflush(1);
	return bless { pid => $pid, port => $listener->sockport, control => $ours, parent => $parent }, $class;
}

sub port { return $_[0]{port} }

# From now on: pass; drip (the bytes of the server one by one); stall (nothing is read any more, connections stay); hold (nothing that comes from the server); reset (those there are end so, then pass); cut N (one ends
# after N more bytes of the server's, then pass); freeze N (after so many, stall); garbage (the next bytes of the server's are others, then pass).
sub set
{
	my ($self, $mode) = @_;
	$self->tell($mode);
	return;
}

# How many bytes have come from clients, and from servers, so far.
sub from_clients { return $_[0]->tell('clients') }
sub from_servers { return $_[0]->tell('servers') }

sub tell
{
	my ($self, $command) = @_;
	syswrite $self->{control}, "$command\n";
	my $answer = readline $self->{control};
	die 'the proxy has gone' unless defined $answer;
	return $answer + 0;
}

sub DESTROY
{
	my ($self) = @_;
	return unless $$ == $self->{parent};
	close $self->{control};
	waitpid $self->{pid}, 0;
	return;
}

sub drop
{
	my ($pairs, $select, $socket, $reset) = @_;
	my $other = $pairs->{$socket}{other} or return;
	setsockopt($_, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) for $reset ? ($socket, $other) : ();
	$select->remove($socket, $other);
	delete @$pairs{ $socket, $other };
	close $socket;
	close $other;
	return;
}

sub serve
{
	my ($listener, $path, $control) = @_;
	my ($mode, $left, %pairs) = ('pass', 0);
	my %count = (clients => 0, servers => 0);
	my $select = IO::Select->new($control, $listener);
	while (1)
	{
		my @read = $mode eq 'stall' ? $control : grep { $mode ne 'hold' || !$pairs{$_}{is_server} } $select->handles;
		for my $ready (IO::Select->new(@read)->can_read)
		{
			if ($ready == $control)
			{
				my $line = readline $control;
				return unless defined $line;
				my ($command, $number) = split ' ', $line;
				($mode, $left) = ($command, $number) unless defined $count{$command};
				if ($mode eq 'reset')
				{
					drop(\%pairs, $select, $pairs{$_}{self}, 1) for grep { $pairs{$_} } keys %pairs;
					$mode = 'pass';
				}
				syswrite $control, ($count{$command} // 0) . "\n";
				last;
			}
			if ($ready == $listener)
			{
				my $client = $listener->accept or next;
				my $server = IO::Socket::UNIX->new(Peer => $path);
				if (!$server) { close $client; next; }
				$pairs{$client} = { self => $client, other => $server };
				$pairs{$server} = { self => $server, other => $client, is_server => 1 };
				setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
				$select->add($client, $server);
				next;
			}
			my $pair = $pairs{$ready} or next;
			my $count = sysread $ready, my $bytes, $mode eq 'drip' && $pair->{is_server} ? 1 : 65536;
			if (!$count) { drop(\%pairs, $select, $ready, 0); next; }
			$count{ $pair->{is_server} ? 'servers' : 'clients' } += $count;
			if ($pair->{is_server} && $mode eq 'garbage')
			{
				$bytes = 'Z' x 20 . "\x01\x02\x03" x 100;
				$mode = 'pass';
			}
			my $is_counted = $pair->{is_server} && $mode =~ /^(cut|freeze)$/;
			my $ends = $is_counted && length $bytes >= $left;
			$bytes = substr $bytes, 0, $left if $ends;
			$left -= length $bytes if $is_counted;
			while (length $bytes)
			{
				my $written = syswrite $pair->{other}, $bytes or last;
				substr $bytes, 0, $written, '';
			}
			next unless $ends;
			drop(\%pairs, $select, $ready, 0) if $mode eq 'cut';
			$mode = $mode eq 'cut' ? 'pass' : 'stall';
			last;
		}
	}
	return;
}

1;
