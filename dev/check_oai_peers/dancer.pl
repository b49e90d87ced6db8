#!/usr/bin/env perl
# Dancer::Plugin::Catmandu::OAI on a port of loopback, over a file of records (meadow.py):
#
#     perl dancer.pl PORT FILE [PAGE_SIZE]
#
# The plugin wants a store that understands CQL; the one here understands what the plugin asks.
use strict;
use warnings;

package Catmandu::Store::Meadow::Bag;
use Moo;
use Catmandu::Hits;
use JSON::PP;

# What must be there before the roles come.
sub generator { die 'not asked for' }
sub add { die 'read only' }
sub delete { die 'read only' }
sub delete_all { die 'read only' }
sub delete_by_query { die 'read only' }
sub searcher { die 'not asked for' }
sub translate_sru_sortkeys { $_[1] }
sub translate_cql_query { $_[1] }

sub search {
    my ($self, %args) = @_;
    my ($start, $limit) = ($args{start} // 0, $args{limit} // 10);
    my $chosen = $self->_select($args{query} // '');
    my $last = $start + $limit - 1;
    $last = $#$chosen if $last > $#$chosen;
    Catmandu::Hits->new(
        start => $start, limit => $limit, total => scalar @$chosen,
        hits => [map { {%$_} } @$chosen[$start .. $last]],
    );
}

with 'Catmandu::Bag', 'Catmandu::CQLSearchable';

sub get {
    my ($self, $id) = @_;
    $self->_select("_id exact \"$id\"")->[0];
}

my ($read, $records, %by_id, %selections);

# A selection is made once, so that a page of a list costs nothing but the page.
sub _select {
    my ($self, $query) = @_;
    my $file = $main::ARGV[1];
    my ($inode, $time) = (stat $file)[1, 9];
    if (!defined $read || $read ne "$inode $time") {
        open my $in, '<', $file or die "$file: $!";
        my $json = JSON::PP->new->utf8;
        my @all = map { $json->decode($_) } <$in>;
        $_->{_id} = delete $_->{id} for @all;
        $_->{deleted} = $_->{deleted} ? 1 : 0 for @all;
        $_ = {%$_, %{delete $_->{dc}}} for @all;
        $records = [sort { $a->{datestamp} cmp $b->{datestamp} || $a->{_id} cmp $b->{_id} } @all];
        %by_id = map { ($_->{_id} => $_) } @$records;
        %selections = ();
        $read = "$inode $time";
    }
    return $by_id{$1} ? [$by_id{$1}] : [] if $query =~ /^_id exact "([^"]*)"/;
    $selections{$query} //= do {
        my ($from)  = $query =~ /datestamp >= "([^"]+)"/;
        my ($until) = $query =~ /datestamp <= "([^"]+)"/;
        my ($set)   = $query =~ /sets any "([^"]+)"/;
        [grep {
            (!$from || $_->{datestamp} ge $from) && (!$until || $_->{datestamp} le $until)
                && (!$set || grep { $_ eq $set } @{$_->{sets}})
        } @$records];
    };
}

package Catmandu::Store::Meadow;
use Moo;
with 'Catmandu::Store';
$INC{'Catmandu/Store/Meadow.pm'} = $INC{'Catmandu/Store/Meadow/Bag.pm'} = __FILE__;

package main;
my ($port, $page_size) = ($ARGV[0], $ARGV[2] // 100);
use Dancer;
use Catmandu;
use Dancer::Plugin::Catmandu::OAI;

my $dc = join "\n", map { "[% FOREACH v IN $_ %]<dc:$_>[% v | xml %]</dc:$_>[% END %]" }
    qw(title creator subject description publisher date type identifier language);
my $template = <<TT;
<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai_dc/ http://www.openarchives.org/OAI/2.0/oai_dc.xsd">
$dc
</oai_dc:dc>
TT
Catmandu->config->{store}{meadow} = {package => 'Catmandu::Store::Meadow', options => {}};
set environment => 'production';
set charset => 'UTF-8';
set log => 'error';
set server => '127.0.0.1';
set port => $port;
set plugins => {'Catmandu::OAI' => {
    store => 'meadow', bag => 'data', datestamp_field => 'datestamp',
    repositoryName => 'Meadow', uri_base => "http://127.0.0.1:$port/oai",
    adminEmail => 'rake@meadow.example', earliestDatestamp => '2020-01-01T00:00:00Z',
    deletedRecord => 'persistent', repositoryIdentifier => 'meadow.example',
    delimiter => ':', sampleIdentifier => 'oai:meadow.example:m1', limit => $page_size,
    sets => [map { {setSpec => $_, setName => ucfirst, cql => "sets any \"$_\""} } qw(hay straw)],
    metadata_formats => [{
        metadataPrefix => 'oai_dc', template => \$template,
        schema => 'http://www.openarchives.org/OAI/2.0/oai_dc.xsd',
        metadataNamespace => 'http://www.openarchives.org/OAI/2.0/oai_dc/',
    }],
}};
oai_provider '/oai',
    deleted => sub { $_[0]{deleted} }, set_specs_for => sub { $_[0]{sets} };

# Dancer would read the arguments as its own.
local @ARGV = @ARGV;
require Plack::Runner;
my $runner = Plack::Runner->new(server => 'Standalone', env => 'production', default_middleware => 0);
$runner->parse_options('--host', '127.0.0.1', '--port', $port, '--max-keepalive-reqs', 1_000_000);
$runner->run(Dancer::Handler->psgi_app);
