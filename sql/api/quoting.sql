-- quote_ident, quote_literal and quote_nullable, as globals and in spi.
do language pllua_bg $$
  for _, s in ipairs {'plain', 'With Space', 'select', 'a"b', "o'clock", 'back\\slash', '', 'ünï'} do
    print(s, quote_ident(s), quote_literal(s), quote_nullable(s))
  end
  print(quote_nullable(nil), quote_literal(5), quote_ident(5))
  print(spi.quote_ident == quote_ident, spi.quote_literal == quote_literal, spi.quote_nullable == quote_nullable)
  for _, f in ipairs {quote_ident, quote_literal, quote_nullable} do print((pcall(f))) end
  print((pcall(quote_literal, nil)), (pcall(quote_literal, {})))
  print(pcall(quote_literal, 'nul \0 inside'))
  print(spi.execute('select ' .. quote_literal("it's \\ here") .. ' as ' .. quote_ident('A "name"'))[1]['A "name"'])
$$;
